/// Maps the names of a model's parameters to the tensors of its weights.
struct TensorNames {
  /// Among the rules that match a parameter, the first whose tensor is in the file applies. A parameter
  /// that no rule matches is the tensor of the same name.
  var rules: [ParameterRule] = []
  /// Whether encoders use the names of the file, so that a tensor of the same name comes first and rules
  /// cover alternative spellings.
  var isDirect = false
  /// Parameters that are resized if the file's are for another size of images.
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
    ParameterRule.rules(
      """
      attention.q_proj.{}   attention.attention.query.{}
      attention.k_proj.{}   attention.attention.key.{}
      attention.v_proj.{}   attention.attention.value.{}
      attention.o_proj.{}   attention.output.dense.{}
      layernorm_before.{}   layernorm_before.{}
      layernorm_after.{}    layernorm_after.{}
      mlp.fc1.{}            intermediate.dense.{}
      mlp.fc2.{}            output.dense.{}
      """, under: "layers.{}.", "encoder.layer.{}.", isSuffix: true)
      // The third is of open_clip's CLIP, whose projection is a parameter of its own.
      + ParameterRule.rules(
        """
        LayerNorm.weight       LayerNorm.gamma
        LayerNorm.bias         LayerNorm.beta
        text_projection.weight text_projection transposed
        q_proj.{}              in_proj_{} 0/3
        k_proj.{}              in_proj_{} 1/3
        v_proj.{}              in_proj_{} 2/3
        attn.q_proj.bias       attn.q_bias
        attn.v_proj.bias       attn.v_bias
        q_proj.{}              qkv.{} 0/3
        k_proj.{}              qkv.{} 1/3
        v_proj.{}              qkv.{} 2/3
        """, isSuffix: true)
  }
}
