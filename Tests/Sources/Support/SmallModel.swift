import Foundation

/// A ViT CLIP in open_clip's layout, of any sizes: what a test wants to vary.
public struct SmallModel {
  public var imageSize = 64
  public var patch = 16
  public var visionWidth = 32
  public var headWidth = 16
  public var visionLayers = 1
  public var context = 16
  public var vocabulary = 1024
  public var textWidth = 32
  public var heads = 2
  public var textLayers = 1
  public var embedding = 16
  /// Keys put over those of preprocess_cfg.
  public var preprocess: [String: Any] = [:]

  public init() {}

  public var manifest: Manifest {
    var tensors: [Manifest.Tensor] = []
    func add(_ name: String, _ shape: [Int], _ rule: String) {
      tensors.append(Manifest.Tensor(name: name, shape: shape, rule: rule))
    }
    func norm(_ name: String, _ width: Int) {
      add("\(name).weight", [width], "norm_weight")
      add("\(name).bias", [width], "bias")
    }
    func linear(_ name: String, _ rows: Int, _ columns: Int) {
      add("\(name).weight", [rows, columns], "linear")
      add("\(name).bias", [rows], "bias")
    }
    func blocks(_ scope: String, _ count: Int, _ width: Int) {
      for i in 0..<count {
        let block = "\(scope)transformer.resblocks.\(i)"
        norm("\(block).ln_1", width)
        add("\(block).attn.in_proj_weight", [3 * width, width], "linear")
        add("\(block).attn.in_proj_bias", [3 * width], "bias")
        linear("\(block).attn.out_proj", width, width)
        norm("\(block).ln_2", width)
        linear("\(block).mlp.c_fc", 4 * width, width)
        linear("\(block).mlp.c_proj", width, 4 * width)
      }
    }
    let side = imageSize / patch
    add("visual.class_embedding", [visionWidth], "embedding")
    add("visual.conv1.weight", [visionWidth, 3, patch, patch], "conv")
    add("visual.positional_embedding", [side * side + 1, visionWidth], "embedding")
    norm("visual.ln_pre", visionWidth)
    blocks("visual.", visionLayers, visionWidth)
    norm("visual.ln_post", visionWidth)
    add("visual.proj", [visionWidth, embedding], "projection")
    add("token_embedding.weight", [vocabulary, textWidth], "embedding")
    add("positional_embedding", [context, textWidth], "embedding")
    blocks("", textLayers, textWidth)
    norm("ln_final", textWidth)
    add("text_projection", [textWidth, embedding], "projection")
    add("logit_scale", [], "logit_scale")
    return Manifest(
      tensors: tensors,
      config: [
        "embed_dim": embedding, "quick_gelu": true,
        "vision_cfg": [
          "image_size": imageSize, "layers": visionLayers, "width": visionWidth, "head_width": headWidth,
          "patch_size": patch,
        ],
        "text_cfg": [
          "context_length": context, "vocab_size": vocabulary, "width": textWidth, "heads": heads,
          "layers": textLayers,
        ],
      ], isHuggingFace: false)
  }

  /// Writes its folder.
  public func write() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try ModelFolder.write(manifest, to: folder.url)
    if !preprocess.isEmpty {
      try editJSON(folder.file("open_clip_config.json")) { root in
        let old = root["preprocess_cfg"] as? [String: Any] ?? [:]
        root["preprocess_cfg"] = old.merging(preprocess) { $1 }
      }
    }
    return folder
  }
}

/// Reads a JSON object, lets `change` at it, writes it back.
public func editJSON(_ url: URL, _ change: (inout [String: Any]) throws -> Void) throws {
  var root = try jsonObject(at: url)
  try change(&root)
  try ModelFolder.writeJSON(root, to: url)
}
