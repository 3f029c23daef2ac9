import CClip

/// The files that describe a folder of sentence-transformers.
extension SentenceTransformers {
  private static let list: Name = "modules.json"

  /// The last parts of the types' names, and the folders; nil if the file does not exist.
  static func modules(_ folder: String) throws(ClipError) -> [(type: Name, path: Name)]? {
    let path = join(folder, list)
    guard try FileKind(path) != .absent else { return nil }
    guard let modules = try JSON.load(path).array else {
      throw ClipError(CLIP_FORMAT, "\(path): expected an array of modules")
    }
    var found: [(type: Name, path: Name)] = []
    for (index, module) in modules.enumerated() {
      guard let type = module["type"]?.string, let place = module["path"]?.string, place.isEmpty || isFileName(place)
      else { throw ClipError(CLIP_FORMAT, "\(path): [\(index)]: expected a type, and a folder's name as path") }
      let word = type.utf8.split(separator: UInt8(ascii: ".")).last ?? []
      found.append((Name(utf8: Array(word)), place))
    }
    return found
  }

  static func refused(_ folder: String, _ index: Int, _ type: Name) -> ClipError {
    ClipError(
      CLIP_UNSUPPORTED,
      "\(join(folder, list)): [\(index)].type: expected Transformer or CLIPModel first, then Pooling, Dense, LayerNorm, "
        + "Dropout or Normalize; found \"\(type.string)\"")
  }

  /// The folder with the first module's config: the folder itself or, in older files, one in it.
  static func modelFolder(_ folder: String) throws(ClipError) -> String {
    for config in [ClipcoreConfig.file, OpenClipConfig.file, HuggingFaceConfig.file] {
      if try FileKind(join(folder, config)) != .absent { return folder }
    }
    guard let first = try modules(folder)?.first, !first.path.isEmpty else { return folder }
    return join(folder, first.path)
  }

  /// Throws if anything changes the features of the model, which are embeddings already.
  static func requireModelAlone(_ folder: String) throws(ClipError) {
    for (index, (type, _)) in (try modules(folder) ?? []).enumerated() {
      let isKnown = index == 0 ? type == "Transformer" || type == "CLIPModel" : type == "Normalize"
      guard isKnown else { throw refused(folder, index, type) }
    }
  }

  /// The most tokens of a text of the model in `folder`, by sentence_bert_config.json or else by the tokenizer; nil for
  /// no limit.
  static func length(_ folder: String) throws(ClipError) -> Int? {
    for (file, key) in [
      ("sentence_bert_config.json", "max_seq_length"), ("tokenizer_config.json", "model_max_length"),
    ] as [(Name, StaticString)] {
      let path = join(folder, file)
      guard try FileKind(path) != .absent else { continue }
      let config = try ConfigReader(path: path)
      // "No limit" is a number of 30 digits.
      guard config.has(key), try config.number(key, 1, 1...1e300) <= 65536 else { continue }
      return try config.int(key, nil, 1...65536)
    }
    return nil
  }
}
