import Glibc

/// A folder of an index, by its real path.
struct IndexedFolder: Hashable {
  let path: ByteString
  var rules = WalkRules()
}

/// A file that was readable but could not be embedded. It is tried again when it changes.
struct UnusableImage: Hashable {
  let path: ByteString
  let state: FileState
  let reason: String
}

/// The settings of an index, in a JSON file beside it, "<index>.json". Paths that are not UTF-8 are encoded by
/// `RawArguments`.
struct IndexSettings {
  /// The path of the model folder.
  var model: ByteString
  var folders: [IndexedFolder] = []
  /// The colour under transparent images; nil drops transparency.
  var background: Color?
  var asStored = false
  var lenient = false
  var unusable: [UnusableImage] = []

  init(model: ByteString) { self.model = model }

  static func path(of index: ByteString) -> ByteString { ByteString(index.bytes + Array(".json".utf8)) }

  /// nil if the file does not exist.
  init?(of index: ByteString) throws(CLIPError) {
    let path = IndexSettings.path(of: index)
    guard path.withCString({ access($0, F_OK) }) == 0 else { return nil }
    let reader = try ObjectReader(try JSON.parse(try readFile(path), place: path.shown), path.shown)
    guard let model = try reader.text("model") else { throw CLIPError("\(path.shown): model: expected a text") }
    self.model = ByteString(argument: model)
    if let text = try reader.text("background") {
      guard let color = Color(argument: text) else {
        throw CLIPError("\(path.shown): background: expected a colour such as #ffffff, found \(quoted(text))")
      }
      background = color
    }
    asStored = try reader.bool("as_stored")
    lenient = try reader.bool("lenient")
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

  /// The settings that affect embeddings, appended to the model's fingerprint.
  var fingerprint: String {
    (background.map { " background=\(IndexSettings.text($0))" } ?? "") + (asStored ? " as-stored" : "")
  }

  private static func text(_ color: Color) -> String {
    let value = Int(color.red) << 16 | Int(color.green) << 8 | Int(color.blue)
    return "#" + String(String(value | 1 << 24, radix: 16).dropFirst())
  }

  /// Takes the image options of the command line. In an existing index, those that affect embeddings stay.
  mutating func take(_ images: ImageOptions, isNew: Bool, _ index: ByteString) throws(CLIPError) {
    if images.lenient { lenient = true }
    if isNew { (background, asStored) = (images.background, images.asStored) }
    if let color = images.background, color != background {
      let found = background.map { "a background of \(IndexSettings.text($0))" } ?? "no background"
      throw CLIPError(
        "\(index.shown) has images with \(found), found --background \(IndexSettings.text(color)): expected the same, or "
          + "another --index", status: .mismatch)
    }
    if images.asStored && !asStored {
      throw CLIPError(
        "\(index.shown) has upright images, found --as-stored: expected another --index", status: .mismatch)
    }
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
      "model": text(model), "background": background.map { .string(IndexSettings.text($0)) } ?? .null,
      "as_stored": .bool(asStored), "lenient": .bool(lenient),
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
