import Foundation

/// Lays out a model's folder as people download it, around reference weights.
public enum ModelFolder {
  static let mean = [0.48145466, 0.4578275, 0.40821073]
  static let deviation = [0.26862954, 0.26130258, 0.27577711]

  /// The folder of a reference model, made once and kept in build/models.
  public static func reference(_ name: String, seed: Int = 0) throws -> URL {
    let folder = Paths.build.appending(path: "models/\(name)-\(seed)")
    let files = FileManager.default
    if files.fileExists(atPath: folder.path) { return folder }
    try files.createDirectory(at: folder.deletingLastPathComponent(), withIntermediateDirectories: true)
    let partial = folder.deletingLastPathComponent().appending(path: ".\(name)-\(UUID().uuidString)")
    try write(Manifest(name), seed: seed, to: partial)
    // Whoever is second finds the folder there; both are the same.
    if rename(partial.path, folder.path) != 0 { try files.removeItem(at: partial) }
    return folder
  }

  /// A model's folder: weights, configuration, tokenizer.
  public static func write(_ manifest: Manifest, seed: Int = 0, to folder: URL) throws {
    try writeConfiguration(manifest, to: folder)
    let isOpenClip = !manifest.isHuggingFace && manifest.clipcore == nil
    let weights = isOpenClip ? "open_clip_model.safetensors" : "model.safetensors"
    try ReferenceWeights.write(manifest, seed: seed, to: folder.appending(path: weights))
  }

  /// Everything but the weights.
  public static func writeConfiguration(_ manifest: Manifest, to folder: URL) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    if let clipcore = manifest.clipcore {
      return try writeJSON(clipcore, to: folder.appending(path: "clipcore.json"))
    }
    if manifest.isHuggingFace {
      try writeJSON(manifest.config, to: folder.appending(path: "config.json"))
      try writeJSON(
        [
          "crop_size": manifest.imageSize, "do_center_crop": true, "do_convert_rgb": true, "do_normalize": true,
          "do_resize": true, "image_mean": mean, "image_std": deviation, "resample": 3,
          "size": ["shortest_edge": manifest.imageSize],
        ], to: folder.appending(path: "preprocessor_config.json"))
    } else {
      try writeJSON(
        [
          "model_cfg": manifest.config,
          "preprocess_cfg": [
            "size": manifest.imageSize, "mean": mean, "std": deviation, "interpolation": "bicubic",
            "resize_mode": "shortest",
          ],
        ], to: folder.appending(path: "open_clip_config.json"))
    }
    try writeTokenizer(vocabularySize: manifest.vocabularySize, to: folder)
  }

  /// CLIP's vocabulary, or the first merges of it with the two special tokens last.
  public static func writeTokenizer(vocabularySize: Int, to folder: URL) throws {
    let source = Paths.fixtures.appending(path: "tokenizer")
    let files = FileManager.default
    let names =
      vocabularySize == 49408 ? ["vocab.json", "merges.txt", "tokenizer_config.json"] : ["tokenizer_config.json"]
    for name in names { try files.copyItem(at: source.appending(path: name), to: folder.appending(path: name)) }
    if vocabularySize == 49408 { return }
    let merges = try String(contentsOf: source.appending(path: "merges.txt"), encoding: .utf8)
    let lines = merges.split(separator: "\n", omittingEmptySubsequences: false).prefix(1 + vocabularySize - 514)
    try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: folder.appending(path: "merges.txt"))
    guard let ids = try jsonObject(at: source.appending(path: "vocab.json")) as? [String: Int] else {
      throw SupportError("vocab.json: not a table of ids")
    }
    var words = ids.sorted { $0.value < $1.value }.prefix(vocabularySize - 2).map(\.key)
    words += ["<|startoftext|>", "<|endoftext|>"]
    let table = Dictionary(uniqueKeysWithValues: words.enumerated().map { ($0.element, $0.offset) })
    try writeJSON(table, to: folder.appending(path: "vocab.json"))
  }

  /// An image tower for the encoder of Tests/C/plugins/grey.h: `width` numbers of an image of `size` squared.
  public static func writeGrey(width: Int = 8, size: Int = 16, to folder: URL) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try writeJSON(
      [
        "version": 1, "embed_dim": width,
        "image": ["encoder": "test.encoder.grey", "config": ["width": width], "preprocess": ["size": size]],
      ], to: folder.appending(path: "clipcore.json"))
    let tensors = [
      Manifest.Tensor(name: "head.weight", shape: [width, 3], rule: "linear"),
      Manifest.Tensor(name: "head.bias", shape: [width], rule: "bias"),
    ]
    try ReferenceWeights.write(
      Manifest(tensors: tensors, config: [:], isHuggingFace: true), to: folder.appending(path: "model.safetensors"))
  }

  public static func writeJSON(_ value: Any, to url: URL) throws {
    try JSONSerialization.data(withJSONObject: value, options: [.sortedKeys]).write(to: url)
  }

  /// A copy that a test may spoil.
  public static func copy(of folder: URL) throws -> TemporaryFolder {
    let copy = try TemporaryFolder()
    let files = FileManager.default
    for name in try files.contentsOfDirectory(atPath: folder.path) {
      try files.copyItem(at: folder.appending(path: name), to: copy.file(name))
    }
    return copy
  }
}
