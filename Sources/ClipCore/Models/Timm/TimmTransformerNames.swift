extension TimmTransformers {
  /// timm's names for the parameters of the encoder vision-transformer. Some architectures have other names.
  static func rules(_ request: TimmRequest, _ options: [Name]) -> [ParameterRule] {
    let scope = request.scoped("")
    var rules = ParameterRule.rules(
      """
      stem.{}.{}.{}           patch_embed.backbone.{}.{}.{}
      rel_pos.{}.{}           shared_rel_pos.mlp.{}.{}
      conv1.{}                patch_embed.proj.{}
      class_embedding         cls_token
      positional_embedding    pos_embed
      ln_pre.{}               norm_pre.{}
      ln_post.{}              norm.{}
      ln_pool.{}              fc_norm.{}
      attn_pool.probe         attn_pool.latent
      attn_pool.q_proj.{}     attn_pool.q.{}
      attn_pool.k_proj.{}     attn_pool.kv.{} 0/2
      attn_pool.v_proj.{}     attn_pool.kv.{} 1/2
      attn_pool.out_proj.{}   attn_pool.proj.{}
      attn_pool.ln.{}         attn_pool.norm.{}
      attn_pool.mlp.c_fc.{}   attn_pool.mlp.fc1.{}
      attn_pool.mlp.c_proj.{} attn_pool.mlp.fc2.{}
      register_embedding      reg_token
      register_embedding      dist_token
      """, under: scope, scope)
    let (block, file) = (request.scoped("transformer.resblocks.{}."), request.scoped("blocks.{}."))
    rules += ParameterRule.rules(
      """
      ln_1.{}                           norm1.{}
      ln_2.{}                           norm2.{}
      attn.out_proj.{}                  attn.proj.{}
      attn.relative_position_bias_table attn.relative_position_bias_table
      attn.relative_position_bias_table attn.rel_pos.relative_position_bias_table
      attn.rel_pos.fc1.{}               attn.rel_pos.mlp.fc1.{}
      attn.rel_pos.fc2.{}               attn.rel_pos.mlp.fc2.{}
      attn.q_proj.{}                    attn.q_proj.{}
      attn.k_proj.{}                    attn.k_proj.{}
      attn.v_proj.{}                    attn.v_proj.{}
      attn.ln_q.{}                      attn.q_norm.{}
      attn.ln_k.{}                      attn.k_norm.{}
      attn.ln_inner.{}                  attn.norm.{}
      ls_1.gamma                        ls1.gamma
      ls_2.gamma                        ls2.gamma
      ls_1.gamma                        gamma_1
      ls_2.gamma                        gamma_2
      mlp.c_gate.{}                     mlp.fc1_g.{}
      mlp.c_fc.{}                       mlp.fc1_x.{}
      mlp.c_fc.{}                       mlp.fc1.{}
      mlp.ln.{}                         mlp.norm.{}
      mlp.c_proj.{}                     mlp.fc2.{}
      attn.q_proj.{}                    attn.qkv.{} 0/3
      attn.q_proj.bias                  attn.q_bias
      attn.k_proj.{}                    attn.qkv.{} 1/3
      attn.k_proj.bias                  attn.k_bias
      attn.v_proj.{}                    attn.qkv.{} 2/3
      attn.v_proj.bias                  attn.v_bias
      """, under: block, file)
    guard options.contains("gatefirst") else { return rules }
    return rules
      + ParameterRule.rules(
        """
        mlp.c_gate.{} mlp.fc1.{} 0/2
        mlp.c_fc.{}   mlp.fc1.{} 1/2
        """, under: block, file)
  }
}
