/// Which library's names a model folder follows, for its files and for CLIP's tensors.
///
/// CLIP's encoders name parameters as open_clip does, with two differences: queries, keys and values
/// are separate ("….attn.q_proj.weight"), and projections are linear layers [out, in]
/// ("visual.proj.weight", "text_projection.weight"). The rules of a layout map these names to the
/// tensors of the file. Other encoders use the names of the file; see TensorNames.
enum Layout {
  case huggingFace, openClip, clipcore

  var name: StaticString {
    switch self {
    case .huggingFace: "huggingface"
    case .openClip: "open_clip"
    case .clipcore: "clipcore"
    }
  }

  /// Names of files that may hold the weights, in order of preference.
  var weightFiles: [Name] {
    switch self {
    case .huggingFace, .clipcore:
      [
        "model.safetensors", "model.safetensors.index.json", "model.fp16.safetensors", "pytorch_model.bin",
        "pytorch_model.bin.index.json",
      ]
    case .openClip: ownWeightFiles + Layout.huggingFace.weightFiles
    }
  }

  /// The names in `weightFiles` that only this layout uses.
  var ownWeightFiles: [Name] {
    switch self {
    case .huggingFace, .clipcore: []
    case .openClip:
      [
        "open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_model.safetensors.index.json",
        "open_clip_pytorch_model.bin",
      ]
    }
  }

  /// Where this layout has CLIP's tensors.
  var clipNames: TensorNames {
    switch self {
    case .huggingFace:
      TensorNames(
        rules: huggingFaceRules, imagePrefixes: ["vision_model.", "visual_projection."],
        textPrefixes: ["text_model.", "text_projection."])
    case .openClip:
      TensorNames(
        rules: openClipRules, antialiasesPositions: true, imagePrefixes: ["visual."],
        textPrefixes: [
          "text.", "text_projection", "transformer.", "token_embedding.", "positional_embedding", "ln_final.",
        ])
    case .clipcore: TensorNames(isDirect: true)
    }
  }

  private var huggingFaceRules: [ParameterRule] {
    [
      ParameterRule("visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"),
      ParameterRule("visual.class_embedding", "vision_model.embeddings.class_embedding"),
      ParameterRule("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"),
      ParameterRule("visual.ln_pre.{}", "vision_model.pre_layrnorm.{}"),
      ParameterRule("visual.ln_post.{}", "vision_model.post_layernorm.{}"),
      ParameterRule("visual.proj.weight", "visual_projection.weight"),
      ParameterRule("token_embedding.weight", "text_model.embeddings.token_embedding.weight"),
      ParameterRule("positional_embedding", "text_model.embeddings.position_embedding.weight"),
      ParameterRule("ln_final.{}", "text_model.final_layer_norm.{}"),
      ParameterRule("text_projection.weight", "text_projection.weight"),
    ] + Layout.huggingFaceBlock("visual.transformer.resblocks.{}.", "vision_model.encoder.layers.{}.")
      + Layout.huggingFaceBlock("transformer.resblocks.{}.", "text_model.encoder.layers.{}.")
  }

  /// open_clip's CLIP class has the text tower's parameters at the top level, its CustomTextCLIP under "text.".
  private var openClipRules: [ParameterRule] {
    [
      ParameterRule("visual.proj.weight", "visual.proj", .transposed),
      // The norm after a mean, where the encoder has one before it, too.
      ParameterRule("visual.ln_pool.{}", "visual.ln_post.{}"),
    ]
      + Layout.openClipAttention("visual.transformer.resblocks.{}.", "visual.transformer.resblocks.{}.")
      + Layout.openClipAttention("visual.attn_pool.", "visual.attn_pool.")
      + (["q", "k", "v"] as [Name]).map {
        ParameterRule("visual.attn_pool.attn." + $0 + "_proj.weight", "visual.attn_pool.attn." + $0 + "_proj_weight")
      }
      + Layout.openClipText("") + Layout.openClipText("text.")
  }

  private static func huggingFaceBlock(_ block: Name, _ file: Name) -> [ParameterRule] {
    [
      ParameterRule(block + "ln_1.{}", file + "layer_norm1.{}"),
      ParameterRule(block + "attn.q_proj.{}", file + "self_attn.q_proj.{}"),
      ParameterRule(block + "attn.k_proj.{}", file + "self_attn.k_proj.{}"),
      ParameterRule(block + "attn.v_proj.{}", file + "self_attn.v_proj.{}"),
      ParameterRule(block + "attn.out_proj.{}", file + "self_attn.out_proj.{}"),
      ParameterRule(block + "ln_2.{}", file + "layer_norm2.{}"),
      ParameterRule(block + "mlp.c_fc.{}", file + "mlp.fc1.{}"),
      ParameterRule(block + "mlp.c_proj.{}", file + "mlp.fc2.{}"),
    ]
  }

  /// PyTorch's nn.MultiheadAttention stores the projections of queries, keys and values as one matrix.
  private static func openClipAttention(_ block: Name, _ file: Name) -> [ParameterRule] {
    [
      ParameterRule(block + "attn.q_proj.{}", file + "attn.in_proj_{}", .part(0, of: 3)),
      ParameterRule(block + "attn.k_proj.{}", file + "attn.in_proj_{}", .part(1, of: 3)),
      ParameterRule(block + "attn.v_proj.{}", file + "attn.in_proj_{}", .part(2, of: 3)),
    ]
  }

  private static func openClipText(_ scope: Name) -> [ParameterRule] {
    let block: Name = "transformer.resblocks.{}."
    return [
      ParameterRule("token_embedding.weight", scope + "token_embedding.weight"),
      ParameterRule("positional_embedding", scope + "positional_embedding"),
      ParameterRule("cls_emb", scope + "cls_emb"),
      ParameterRule("ln_final.{}", scope + "ln_final.{}"),
      ParameterRule("text_projection.weight", scope + "text_projection", .transposed),
      ParameterRule("text_projection.{}", scope + "text_projection.{}"),
    ] + openClipAttention(block, scope + block) + [
      ParameterRule(block + "{}.{}", scope + block + "{}.{}"),
      ParameterRule(block + "{}.{}.{}", scope + block + "{}.{}.{}"),
    ]
  }
}
