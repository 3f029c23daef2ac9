extension HuggingFaceTransformers {
  /// transformers' names for the parameters of the encoder vision-transformer: the current ones, and those of files on
  /// the hub.
  static func rules(_ scope: Name) -> [ParameterRule] {
    let start: Name = scope.isEmpty ? "" : scope + "."
    var rules = ParameterRule.rules(
      """
      conv1.{}                     embeddings.patch_embeddings.projection.{}
      conv1.{}                     embeddings.patch_embeddings.{}
      class_embedding              embeddings.cls_token
      register_embedding           embeddings.register_tokens
      register_embedding           embeddings.distillation_token
      positional_embedding         embeddings.position_embeddings
      conv1.{}                     embeddings.patch_embedding.{}
      class_embedding              embeddings.class_embedding
      positional_embedding         embeddings.position_embedding
      ln_post.{}                   post_layernorm.{}
      ln_post.{}                   layernorm.{}
      ln_post.{}                   norm.{}
      ln_pool.{}                   pooler.layernorm.{}
      relative_position_bias_table encoder.relative_position_bias.relative_position_bias_table
      relative_position_bias_table relative_position_bias.relative_position_bias_table
      """, under: "", start)
    let ours: Name = "transformer.resblocks.{}."
    for block in ["layers.{}.", "encoder.layers.{}.", "encoder.layer.{}.", "model.layer.{}.", "layer.{}."] as [Name] {
      rules += ParameterRule.rules(
        """
        ln_1.{}                           layernorm_before.{}
        ln_1.{}                           norm1.{}
        ln_1.{}                           layer_norm1.{}
        ln_2.{}                           layer_norm2.{}
        attn.out_proj.{}                  self_attn.projection.{}
        ln_2.{}                           layernorm_after.{}
        ln_2.{}                           norm2.{}
        attn.out_proj.{}                  attention.o_proj.{}
        attn.out_proj.{}                  attention.output.dense.{}
        mlp.c_fc.{}                       mlp.fc1.{}
        mlp.c_fc.{}                       intermediate.dense.{}
        mlp.c_proj.{}                     mlp.fc2.{}
        mlp.c_proj.{}                     output.dense.{}
        mlp.c_gate.{}                     mlp.gate_proj.{}
        mlp.c_fc.{}                       mlp.up_proj.{}
        mlp.c_proj.{}                     mlp.down_proj.{}
        mlp.c_proj.{}                     mlp.weights_out.{}
        attn.relative_position_bias_table relative_position_bias.relative_position_bias_table
        attn.relative_position_bias_table attention.attention.relative_position_bias.relative_position_bias_table
        attn.q_proj.{}                    attention.q_proj.{}
        attn.q_proj.{}                    attention.attention.query.{}
        attn.k_proj.{}                    attention.k_proj.{}
        attn.k_proj.{}                    attention.attention.key.{}
        attn.v_proj.{}                    attention.v_proj.{}
        attn.v_proj.{}                    attention.attention.value.{}
        ls_1.gamma                        layer_scale1.lambda1
        ls_1.gamma                        lambda_1
        ls_2.gamma                        layer_scale2.lambda1
        ls_2.gamma                        lambda_2
        mlp.c_gate.{}                     mlp.weights_in.{} 0/2
        mlp.c_fc.{}                       mlp.weights_in.{} 1/2
        """, under: ours, start + block)
    }
    return rules
      + ParameterRule.rules(
        """
        attn.q_proj.{} qkv.{} 0/3
        attn.k_proj.{} qkv.{} 1/3
        attn.v_proj.{} qkv.{} 2/3
        """, under: ours, start + "encoder.layers.{}.self_attn.")
  }
}
