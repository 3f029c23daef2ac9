import Glibc

/// An image or folder that could not be used, and the reason.
struct Skipped {
  let path: ByteString
  let reason: String

  /// `reason` may start with the path, as messages of the library do; the path is not repeated.
  init(path: ByteString, reason: String) {
    self.path = path
    let prefix = path.text + ": "
    self.reason = reason.hasPrefix(prefix) ? String(reason.dropFirst(prefix.count)) : reason
  }

  var json: JSON { ["image": .path(path), "error": .string(reason)] }

  /// Prints the message at once, so that problems show during a long job.
  func report() {
    Console.shared.line("Skipped \(path.shown): \(reason)")
  }
}

/// Finds images: files as given, folders recursively in byte order of their names. Follows links.
struct ImageWalk {
  private(set) var images: [ByteString] = []
  private(set) var skipped: [Skipped] = []
  /// The number of files in folders that are not images, by name ending.
  private(set) var leftOut: [String: Int] = [:]

  /// - Parameter endings: The name endings of images.
  init(_ paths: [ByteString], endings: Set<String>) {
    for path in paths {
      var status = stat()
      guard path.withCString({ stat($0, &status) }) == 0 else {
        skip(Skipped(path: path, reason: systemMessage(errno)))
        continue
      }
      guard status.st_mode & S_IFMT == S_IFDIR else {
        images.append(path)
        continue
      }
      let walk = FolderWalk(path, endings: endings, rules: WalkRules(followsLinks: true))
      images += walk.images.map(\.path)
      leftOut.merge(walk.others, uniquingKeysWith: +)
      for entry in walk.unread { skip(entry) }
      if walk.images.isEmpty && walk.unread.isEmpty {
        let list = endings.sorted().map { "." + $0 }.joined(separator: ", ")
        skip(Skipped(path: path, reason: "the folder holds no file of an image (\(list))"))
      }
    }
  }

  /// The names of the folders in a folder, sorted, without hidden ones.
  static func folders(in root: ByteString) throws(CLIPError) -> [ByteString] {
    try names(in: root).filter { name in
      var status = stat()
      return name.bytes.first != UInt8(ascii: ".")
        && root.appending(name.bytes).withCString { stat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
  }

  private mutating func skip(_ entry: Skipped) {
    entry.report()
    skipped.append(entry)
  }
}
