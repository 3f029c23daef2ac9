import Glibc

/// An image or folder that could not be used, and why.
struct Skipped {
  let path: ByteString
  let reason: String

  /// `reason` may start with the path, as the library's messages do: it is not told twice.
  init(path: ByteString, reason: String) {
    self.path = path
    let prefix = path.text + ": "
    self.reason = reason.hasPrefix(prefix) ? String(reason.dropFirst(prefix.count)) : reason
  }

  var json: JSON { ["image": .path(path), "error": .string(reason)] }

  /// Tells the person at once, so that a long job shows its troubles while it runs.
  func report() {
    Console.shared.line("Skipped \(path.shown): \(reason)")
  }
}

/// Finds images: files as given, folders recursively in byte order of their names. Hidden entries
/// of a folder are left out; links are followed, and a folder reached twice is walked once.
struct ImageWalk {
  /// Of files that are images.
  let endings: Set<String>
  private(set) var images: [ByteString] = []
  private(set) var skipped: [Skipped] = []
  /// How many files of folders are no images, by their endings.
  private(set) var leftOut: [String: Int] = [:]
  private var visited: Set<FolderIdentity> = []

  private struct FolderIdentity: Hashable {
    let device: UInt
    let inode: UInt
  }

  init(_ paths: [ByteString], endings: Set<String>) {
    self.endings = endings
    for path in paths {
      var status = stat()
      guard path.withCString({ stat($0, &status) }) == 0 else {
        skip(path, systemMessage(errno))
        continue
      }
      guard isFolder(status) else {
        images.append(path)
        continue
      }
      visited.removeAll()
      let before = images.count + skipped.count
      walk(path, status)
      if images.count + skipped.count == before {
        skip(
          path,
          "the folder holds no file of an image (" + endings.sorted().map { "." + $0 }.joined(separator: ", ") + ")")
      }
    }
  }

  /// The names of the folders in a folder, sorted; hidden ones are left out.
  static func folders(in root: ByteString) throws(CLIPError) -> [ByteString] {
    var status = stat()
    guard root.withCString({ stat($0, &status) }) == 0 else { throw .system(root.shown) }
    var walk = ImageWalk([], endings: [])
    guard walk.isFolder(status), let names = walk.entries(root) else { return [] }
    return names.filter { name in
      var status = stat()
      return root.appending(name.bytes).withCString { stat($0, &status) } == 0 && walk.isFolder(status)
    }
  }

  private mutating func walk(_ folder: ByteString, _ status: stat) {
    let identity = FolderIdentity(device: UInt(status.st_dev), inode: UInt(status.st_ino))
    guard visited.insert(identity).inserted else { return }
    guard let names = entries(folder) else { return }
    for name in names {
      let path = folder.appending(name.bytes)
      var status = stat()
      guard path.withCString({ stat($0, &status) }) == 0 else {
        if endings.contains(path.fileExtension) { skip(path, systemMessage(errno)) }
        continue
      }
      if isFolder(status) {
        walk(path, status)
      } else if endings.contains(path.fileExtension) {
        images.append(path)
      } else {
        leftOut[path.fileExtension, default: 0] += 1
      }
    }
  }

  /// The visible names in a folder, sorted; nil after reporting that it cannot be read.
  private mutating func entries(_ folder: ByteString) -> [ByteString]? {
    guard let stream = folder.withCString({ opendir($0) }) else {
      skip(folder, systemMessage(errno))
      return nil
    }
    defer { closedir(stream) }
    var names: [ByteString] = []
    errno = 0
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { ByteString($0.prefix { $0 != 0 }) }
      if name.bytes.first != UInt8(ascii: ".") { names.append(name) }
    }
    if errno != 0 { skip(folder, systemMessage(errno)) }
    return names.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
  }

  private func isFolder(_ status: stat) -> Bool { status.st_mode & S_IFMT == S_IFDIR }

  private mutating func skip(_ path: ByteString, _ reason: String) {
    let entry = Skipped(path: path, reason: reason)
    entry.report()
    skipped.append(entry)
  }
}
