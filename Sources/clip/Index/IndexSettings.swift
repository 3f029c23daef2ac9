import Glibc

/// A folder that is kept in an index, by its real path.
struct IndexedFolder: Hashable {
  let path: ByteString
  var rules = WalkRules()
}

/// A file that was found and could not be embedded; it is tried again when it changes.
struct UnusableImage: Hashable {
  let path: ByteString
  let state: FileState
  let reason: String
}

/// What an index is made of: a JSON file beside the index, "<index>.json". Paths that are not UTF-8 are in it as
/// `RawArguments` encodes them.
struct IndexSettings {
  /// The model's folder.
  var model: ByteString
  var folders: [IndexedFolder] = []
  var unusable: [UnusableImage] = []

  init(model: ByteString) { self.model = model }

  static func path(of index: ByteString) -> ByteString { ByteString(index.bytes + Array(".json".utf8)) }

  /// nil if there is none.
  init?(of index: ByteString) throws(CLIPError) {
    let path = IndexSettings.path(of: index)
    guard path.withCString({ access($0, F_OK) }) == 0 else { return nil }
    let reader = try ObjectReader(try JSON.parse(try readFile(path), place: path.shown), path.shown)
    guard let model = try reader.text("model") else { throw CLIPError("\(path.shown): model: expected a text") }
    self.model = ByteString(argument: model)
    for folder in try reader.objects("folders") {
      var rules = WalkRules()
      rules.exclude = try folder.texts("exclude").map { ByteString(argument: $0) }
      rules.followsLinks = try folder.bool("follow_links")
      folders.append(IndexedFolder(path: try IndexSettings.path(folder), rules: rules))
      try folder.finish()
    }
    for image in try reader.objects("unusable") {
      let size = try image.integer("size", 0...Int.max, default: 0)
      let modified = try image.integer("modified", Int.min...Int.max, default: 0)
      unusable.append(
        UnusableImage(
          path: try IndexSettings.path(image), state: FileState(size: Int64(size), modified: Int64(modified)),
          reason: try image.text("error") ?? ""))
      try image.finish()
    }
    try reader.finish()
  }

  private static func path(_ reader: ObjectReader) throws(CLIPError) -> ByteString {
    guard let path = try reader.text("path"), path.hasPrefix("/") else {
      throw CLIPError("\(reader.place): path: expected a path that begins with /")
    }
    return ByteString(argument: path)
  }

  func write(of index: ByteString) throws(CLIPError) {
    func text(_ path: ByteString) -> JSON { .string(RawArguments.encoded(path.bytes)) }
    let json: JSON = [
      "model": text(model),
      "folders": .array(
        folders.map {
          [
            "path": text($0.path), "exclude": .array($0.rules.exclude.map(text)),
            "follow_links": .bool($0.rules.followsLinks),
          ]
        }),
      "unusable": .array(
        unusable.map {
          [
            "path": text($0.path), "size": .integer(Int($0.state.size)), "modified": .integer(Int($0.state.modified)),
            "error": .string($0.reason),
          ]
        }),
    ]
    let content = json.pretty() + "\n"
    try OutputFile.write(to: IndexSettings.path(of: index)) { writer throws(CLIPError) in try writer.write(content) }
  }
}
