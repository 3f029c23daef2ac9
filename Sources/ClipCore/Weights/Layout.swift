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

  /// This layout's names of CLIP's tensors.
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
    ParameterRule.rules(
      """
      visual.conv1.weight         vision_model.embeddings.patch_embedding.weight
      visual.class_embedding      vision_model.embeddings.class_embedding
      visual.positional_embedding vision_model.embeddings.position_embedding.weight
      visual.ln_pre.{}            vision_model.pre_layrnorm.{}
      visual.ln_post.{}           vision_model.post_layernorm.{}
      visual.proj.weight          visual_projection.weight
      token_embedding.weight      text_model.embeddings.token_embedding.weight
      positional_embedding        text_model.embeddings.position_embedding.weight
      ln_final.{}                 text_model.final_layer_norm.{}
      text_projection.weight      text_projection.weight
      """)
      + Layout.huggingFaceBlock("visual.transformer.resblocks.{}.", "vision_model.encoder.layers.{}.")
      + Layout.huggingFaceBlock("transformer.resblocks.{}.", "text_model.encoder.layers.{}.")
  }

  /// open_clip's CLIP class has the text tower's parameters at the top level, its CustomTextCLIP under "text.". A norm
  /// after a mean has the same name as the norm before it in other encoders.
  private var openClipRules: [ParameterRule] {
    ParameterRule.rules(
      """
      visual.proj.weight visual.proj transposed
      visual.ln_pool.{}  visual.ln_post.{}
      """)
      + Layout.openClipAttention("visual.transformer.resblocks.{}.", "visual.transformer.resblocks.{}.")
      + Layout.openClipAttention("visual.attn_pool.", "visual.attn_pool.")
      + ParameterRule.rules(
        """
        q_proj.weight q_proj_weight
        k_proj.weight k_proj_weight
        v_proj.weight v_proj_weight
        """, under: "visual.attn_pool.attn.", "visual.attn_pool.attn.")
      + Layout.openClipText("") + Layout.openClipText("text.")
  }

  private static func huggingFaceBlock(_ block: Name, _ file: Name) -> [ParameterRule] {
    ParameterRule.rules(
      """
      ln_1.{}          layer_norm1.{}
      attn.q_proj.{}   self_attn.q_proj.{}
      attn.k_proj.{}   self_attn.k_proj.{}
      attn.v_proj.{}   self_attn.v_proj.{}
      attn.out_proj.{} self_attn.out_proj.{}
      ln_2.{}          layer_norm2.{}
      mlp.c_fc.{}      mlp.fc1.{}
      mlp.c_proj.{}    mlp.fc2.{}
      """, under: block, file)
  }

  /// PyTorch's nn.MultiheadAttention stores the projections of queries, keys and values as one matrix.
  private static func openClipAttention(_ block: Name, _ file: Name) -> [ParameterRule] {
    ParameterRule.rules(
      """
      attn.q_proj.{} attn.in_proj_{} 0/3
      attn.k_proj.{} attn.in_proj_{} 1/3
      attn.v_proj.{} attn.in_proj_{} 2/3
      """, under: block, file)
  }

  private static func openClipText(_ scope: Name) -> [ParameterRule] {
    let block: Name = "transformer.resblocks.{}."
    return ParameterRule.rules(
      """
      token_embedding.weight token_embedding.weight
      positional_embedding   positional_embedding
      cls_emb                cls_emb
      ln_final.{}            ln_final.{}
      text_projection.weight text_projection transposed
      text_projection.{}     text_projection.{}
      """, under: "", scope)
      + openClipAttention(block, scope + block)
      + ParameterRule.rules(
        """
        {}.{}    {}.{}
        {}.{}.{} {}.{}.{}
        """, under: block, scope + block)
  }
}
