import Glibc

/// A file's state. A change of the file changes it, without reading the file.
struct FileState: Hashable {
  /// Bytes.
  let size: Int64
  /// Nanoseconds since 1970.
  let modified: Int64

  init(size: Int64, modified: Int64) { (self.size, self.modified) = (size, modified) }

  init(_ status: stat) {
    size = Int64(status.st_size)
    modified = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
  }

  init(of path: ByteString) throws(CLIPError) {
    var status = stat()
    guard path.withCString({ stat($0, &status) }) == 0 else { throw .system(path.shown) }
    self.init(status)
  }
}

/// Rules for which entries of a folder are walked.
struct WalkRules: Hashable {
  /// Shell patterns. A pattern with a slash is compared with the path below the indexed folder, others with names.
  var exclude: [ByteString] = []
  /// Whether symbolic links to files and folders are followed.
  var followsLinks = false

  /// Names that are never walked, in addition to hidden ones: folders in which network drives keep thumbnails and
  /// deleted files.
  static let neverWalked: Set<ByteString> = [
    ByteString("@eaDir"), ByteString("#recycle"), ByteString("lost+found"), ByteString("$RECYCLE.BIN"),
    ByteString("System Volume Information"),
  ]

  func excludes(_ name: ByteString, _ below: ByteString) -> Bool {
    exclude.contains { pattern in
      let subject = pattern.bytes.contains(UInt8(ascii: "/")) ? below : name
      return pattern.withCString { pattern in subject.withCString { fnmatch(pattern, $0, 0) == 0 } }
    }
  }
}

/// Every image below a folder, with its state, mostly in the order of paths, and what of the folder is not taken.
struct FolderWalk {
  let endings: Set<String>
  let rules: WalkRules

  private(set) var images: [(path: ByteString, state: FileState)] = []
  private(set) var folders: [ByteString] = []
  /// Folders that could not be read, and why. Their content is unknown.
  private(set) var unread: [Skipped] = []
  /// Empty folders, such as the mount point of a missing disk.
  private(set) var empty: [ByteString] = []
  /// The number of files that are not images, by name ending.
  private(set) var others: [String: Int] = [:]
  private(set) var links = 0
  private(set) var excluded = 0

  private let root: ByteString
  private var visited: Set<FolderIdentity> = []

  private struct FolderIdentity: Hashable {
    let device: UInt
    let inode: UInt
  }

  init(_ root: ByteString, endings: Set<String>, rules: WalkRules) {
    (self.root, self.endings, self.rules) = (root, endings, rules)
    walk(root)
  }

  private mutating func walk(_ folder: ByteString) {
    guard let stream = folder.withCString({ opendir($0) }) else {
      return unread.append(Skipped(path: folder, reason: systemMessage(errno)))
    }
    defer { closedir(stream) }
    let descriptor = dirfd(stream)
    var status = stat()
    guard fstat(descriptor, &status) == 0,
      visited.insert(FolderIdentity(device: UInt(status.st_dev), inode: UInt(status.st_ino))).inserted
    else { return }
    folders.append(folder)
    // In the order of paths, in which a slash follows the name of a folder.
    var entries: [(place: ByteString, type: Int)] = []
    errno = 0
    while let entry = readdir(stream) {
      var name = withUnsafeBytes(of: &entry.pointee.d_name) { ByteString($0.prefix { $0 != 0 }) }
      let isDots = name.bytes.count <= 2 && name.bytes.allSatisfy { $0 == UInt8(ascii: ".") }
      let type = Int(entry.pointee.d_type)
      if type == DT_DIR { name.bytes.append(UInt8(ascii: "/")) }
      if !isDots { entries.append((name, type)) }
      errno = 0
    }
    if errno != 0 { unread.append(Skipped(path: folder, reason: systemMessage(errno))) }
    if entries.isEmpty { empty.append(folder) }
    entries.sort { $0.place < $1.place }
    for (place, type) in entries {
      visit(type == DT_DIR ? ByteString(place.bytes.dropLast()) : place, type, in: folder, descriptor)
    }
  }

  private mutating func visit(_ name: ByteString, _ type: Int, in folder: ByteString, _ descriptor: Int32) {
    guard name.bytes.first != UInt8(ascii: "."), type == DT_REG || !WalkRules.neverWalked.contains(name) else { return }
    let path = folder.appending(name.bytes)
    let isImage = endings.contains(name.fileExtension)
    // A regular file without an image's ending needs no system call.
    if type == DT_REG && !isImage {
      others[name.fileExtension, default: 0] += 1
      return
    }
    guard rules.exclude.isEmpty || !rules.excludes(name, path.relative(to: root)) else { return excluded += 1 }
    var status = stat()
    guard name.withCString({ fstatat(descriptor, $0, &status, AT_SYMLINK_NOFOLLOW) }) == 0 else {
      return missing(path)
    }
    if status.st_mode & S_IFMT == S_IFLNK {
      guard rules.followsLinks else { return links += 1 }
      guard name.withCString({ fstatat(descriptor, $0, &status, 0) }) == 0 else {
        if isImage { unread.append(Skipped(path: path, reason: systemMessage(errno))) }
        return
      }
    }
    switch status.st_mode & S_IFMT {
    case S_IFDIR: walk(path)
    case S_IFREG where isImage: images.append((path, FileState(status)))
    default: others[name.fileExtension, default: 0] += 1
    }
  }

  /// Ignores a file that was removed after its folder was read.
  private mutating func missing(_ path: ByteString) {
    if errno != ENOENT { unread.append(Skipped(path: path, reason: systemMessage(errno))) }
  }
}
