import Foundation

/// A small text tower in Hugging Face's layout with a whole vocabulary: for tests of tokenizers.
public struct TextModel {
  public enum Family { case bert, siglip }

  public var family: Family
  public var vocabulary: Int
  public var context = 128

  public init(_ family: Family) {
    self.family = family
    vocabulary = family == .bert ? 30522 : 2000
  }

  private static var width: Int { 8 }

  public var manifest: Manifest {
    var tensors: [Manifest.Tensor] = []
    let width = Self.width
    func add(_ name: String, _ shape: [Int], _ rule: String) {
      tensors.append(Manifest.Tensor(name: name, shape: shape, rule: rule))
    }
    func norm(_ name: String) {
      add("\(name).weight", [width], "norm_weight")
      add("\(name).bias", [width], "bias")
    }
    func linear(_ name: String, _ rows: Int, _ columns: Int) {
      add("\(name).weight", [rows, columns], "linear")
      add("\(name).bias", [rows], "bias")
    }
    switch family {
    case .bert:
      add("embeddings.word_embeddings.weight", [vocabulary, width], "embedding")
      add("embeddings.position_embeddings.weight", [context, width], "embedding")
      add("embeddings.token_type_embeddings.weight", [2, width], "embedding")
      norm("embeddings.LayerNorm")
      let layer = "encoder.layer.0"
      for name in ["self.query", "self.key", "self.value", "output.dense"] {
        linear("\(layer).attention.\(name)", width, width)
      }
      norm("\(layer).attention.output.LayerNorm")
      linear("\(layer).intermediate.dense", 2 * width, width)
      linear("\(layer).output.dense", width, 2 * width)
      norm("\(layer).output.LayerNorm")
      linear("pooler.dense", width, width)
    case .siglip:
      let scope = "text_model"
      add("\(scope).embeddings.token_embedding.weight", [vocabulary, width], "embedding")
      add("\(scope).embeddings.position_embedding.weight", [context, width], "embedding")
      let layer = "\(scope).encoder.layers.0"
      norm("\(layer).layer_norm1")
      for name in ["q_proj", "k_proj", "v_proj", "out_proj"] { linear("\(layer).self_attn.\(name)", width, width) }
      norm("\(layer).layer_norm2")
      linear("\(layer).mlp.fc1", 2 * width, width)
      linear("\(layer).mlp.fc2", width, 2 * width)
      norm("\(scope).final_layer_norm")
      linear("\(scope).head", width, width)
      add("logit_scale", [1], "logit_scale")
      add("logit_bias", [1], "bias")
    }
    return Manifest(tensors: tensors, config: config, isHuggingFace: true)
  }

  /// config.json.
  public var config: [String: Any] {
    let sizes: [String: Any] = [
      "hidden_size": Self.width, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 2 * Self.width,
      "vocab_size": vocabulary, "max_position_embeddings": context,
    ]
    if family == .bert { return sizes.merging(["model_type": "bert"]) { $1 } }
    return ["model_type": "siglip", "text_config": sizes, "vision_config": ["hidden_size": Self.width]]
  }

  /// clipcore.json of the same weights, with the tokenizer named.
  public func clipcore(tokenizer: String) -> [String: Any] {
    var config: [String: Any] = [
      "vocab_size": vocabulary, "context_length": context, "width": Self.width, "heads": 2, "layers": 1,
      "mlp_width": 2 * Self.width,
    ]
    if family == .siglip {
      config["embed_dim"] = Self.width
      config["activation"] = "gelu_tanh"
    }
    let text: [String: Any] = [
      "encoder": family == .bert ? "clipcore.encoder.bert" : "clipcore.encoder.siglip-text", "config": config,
      "scope": family == .bert ? "" : "text_model", "tokenizer": tokenizer,
    ]
    return ["version": 1, "embed_dim": Self.width, "text": text, "ignore": ["logit_"]]
  }

  /// Writes its folder: weights, config.json, and vocab.txt or spiece.model.
  public func write() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try ReferenceWeights.write(manifest, to: folder.file("model.safetensors"))
    try ModelFolder.writeJSON(config, to: folder.file("config.json"))
    let name = family == .bert ? "wordpiece/vocab.txt" : "unigram/spiece.model"
    let source = Paths.fixtures.appending(path: "tokenizer/\(name)")
    try FileManager.default.copyItem(at: source, to: folder.file(source.lastPathComponent))
    return folder
  }
}
