/// Maps the names of a model's parameters to the tensors of its weights.
struct TensorNames {
  /// Among the rules that match a parameter, the first whose tensor is in the file applies. A parameter
  /// that no rule matches is the tensor of the same name.
  var rules: [ParameterRule] = []
  /// Whether encoders use the names of the file, so that a tensor of the same name comes first and rules
  /// cover alternative spellings.
  var isDirect = false
  /// Parameters that are resized where the file's are for another size of images.
  var resizes: [(parameter: Name, resize: PositionResize)] = []
  /// How others would be: with what a smaller grid's rows cover (open_clip, timm), or not (transformers).
  var antialiasesPositions = false
  /// Prefixes of the names of each tower's tensors in the file.
  var imagePrefixes: [Name] = []
  var textPrefixes: [Name] = []
  /// Prefixes of the names of tensors that the configuration declares unused.
  var ignoredPrefixes: [Name] = []
  /// Names of others, with "*" for any characters.
  var ignoredPatterns: [Name] = []
  /// Tensors that belong to the model rather than to a tower.
  var others: [Name] = []

  /// Tensors under the names of the file, or alternative spellings of these.
  static func direct(image: [Name], text: [Name], ignored: [Name] = [], others: [Name] = []) -> TensorNames {
    TensorNames(
      rules: alternativeNames, isDirect: true, imagePrefixes: image, textPrefixes: text, ignoredPrefixes: ignored,
      others: others)
  }

  /// The names of ViT's blocks before transformers 5, TensorFlow's names for BERT's norms, and the joint
  /// projection of queries, keys and values of PyTorch's nn.MultiheadAttention and of timm.
  private static var alternativeNames: [ParameterRule] {
    let block: Name = "encoder.layer.{}."
    return [
      ParameterRule(suffix: "layers.{}.attention.q_proj.{}", block + "attention.attention.query.{}"),
      ParameterRule(suffix: "layers.{}.attention.k_proj.{}", block + "attention.attention.key.{}"),
      ParameterRule(suffix: "layers.{}.attention.v_proj.{}", block + "attention.attention.value.{}"),
      ParameterRule(suffix: "layers.{}.attention.o_proj.{}", block + "attention.output.dense.{}"),
      ParameterRule(suffix: "layers.{}.layernorm_before.{}", block + "layernorm_before.{}"),
      ParameterRule(suffix: "layers.{}.layernorm_after.{}", block + "layernorm_after.{}"),
      ParameterRule(suffix: "layers.{}.mlp.fc1.{}", block + "intermediate.dense.{}"),
      ParameterRule(suffix: "layers.{}.mlp.fc2.{}", block + "output.dense.{}"),
      ParameterRule(suffix: "LayerNorm.weight", "LayerNorm.gamma"),
      ParameterRule(suffix: "LayerNorm.bias", "LayerNorm.beta"),
      // Of open_clip's CLIP, whose projection is a parameter of its own.
      ParameterRule(suffix: "text_projection.weight", "text_projection", .transposed),
      ParameterRule(suffix: "q_proj.{}", "in_proj_{}", .part(0, of: 3)),
      ParameterRule(suffix: "k_proj.{}", "in_proj_{}", .part(1, of: 3)),
      ParameterRule(suffix: "v_proj.{}", "in_proj_{}", .part(2, of: 3)),
      ParameterRule(suffix: "attn.q_proj.bias", "attn.q_bias"),
      ParameterRule(suffix: "attn.v_proj.bias", "attn.v_bias"),
      ParameterRule(suffix: "q_proj.{}", "qkv.{}", .part(0, of: 3)),
      ParameterRule(suffix: "k_proj.{}", "qkv.{}", .part(1, of: 3)),
      ParameterRule(suffix: "v_proj.{}", "qkv.{}", .part(2, of: 3)),
    ]
  }
}
