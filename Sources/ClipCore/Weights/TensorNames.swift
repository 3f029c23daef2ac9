/// Where a model's parameters are in its checkpoint.
struct TensorNames {
  /// Of the rules that match a name, the first whose tensor is in the file holds. A name that no
  /// rule matches is the file's own.
  var rules: [ParameterRule] = []
  /// Encoders ask by the file's own names, and rules are about other spellings of them. A tensor may
  /// have more sides than the parameter, all 1 and before the parameter's own: PyTorch keeps a class
  /// token as [1, 1, width].
  var isDirect = false
  /// Starts of the names of the tensors of each tower, in the file.
  var imagePrefixes: [Name] = []
  var textPrefixes: [Name] = []
  /// Starts of the names of tensors that are there and not used, by the config's word.
  var ignoredPrefixes: [Name] = []
  /// Tensors that belong to the model rather than to a tower.
  var others: [Name] = []

  /// Tensors under their own names, and under other spellings of them.
  static func direct(image: [Name], text: [Name], ignored: [Name] = [], others: [Name] = []) -> TensorNames {
    TensorNames(
      rules: otherNames, isDirect: true, imagePrefixes: image, textPrefixes: text, ignoredPrefixes: ignored,
      others: others)
  }

  /// ViT's blocks before transformers 5, BERT's norms as TensorFlow named them, and the one matrix of
  /// queries, keys and values of PyTorch's nn.MultiheadAttention.
  private static var otherNames: [ParameterRule] {
    let block: Name = "encoder.layer.{}."
    return [
      ParameterRule(under: "layers.{}.attention.q_proj.{}", block + "attention.attention.query.{}"),
      ParameterRule(under: "layers.{}.attention.k_proj.{}", block + "attention.attention.key.{}"),
      ParameterRule(under: "layers.{}.attention.v_proj.{}", block + "attention.attention.value.{}"),
      ParameterRule(under: "layers.{}.attention.o_proj.{}", block + "attention.output.dense.{}"),
      ParameterRule(under: "layers.{}.layernorm_before.{}", block + "layernorm_before.{}"),
      ParameterRule(under: "layers.{}.layernorm_after.{}", block + "layernorm_after.{}"),
      ParameterRule(under: "layers.{}.mlp.fc1.{}", block + "intermediate.dense.{}"),
      ParameterRule(under: "layers.{}.mlp.fc2.{}", block + "output.dense.{}"),
      ParameterRule(under: "LayerNorm.weight", "LayerNorm.gamma"),
      ParameterRule(under: "LayerNorm.bias", "LayerNorm.beta"),
      ParameterRule(under: "q_proj.{}", "in_proj_{}", .third(0)),
      ParameterRule(under: "k_proj.{}", "in_proj_{}", .third(1)),
      ParameterRule(under: "v_proj.{}", "in_proj_{}", .third(2)),
    ]
  }
}
