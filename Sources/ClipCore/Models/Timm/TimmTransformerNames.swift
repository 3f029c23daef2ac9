extension TimmTransformers {
  /// Where timm has the parameters of the encoder vision-transformer.
  static func rules(_ request: TimmRequest, _ options: [Name]) -> [ParameterRule] {
    var all = top + alternatives
    for (name, timm) in block { all.append(("transformer.resblocks.{}." + name, "blocks.{}." + timm, .whole)) }
    for (part, name) in (["q", "k", "v"] as [Name]).enumerated() {
      all.append(
        (
          "transformer.resblocks.{}.attn." + name + "_proj.{}", "blocks.{}.attn.qkv.{}", .part(part, of: 3)
        ))
      all.append(
        ("transformer.resblocks.{}.attn." + name + "_proj.bias", "blocks.{}.attn." + name + "_bias", .whole))
    }
    for (part, name) in (["mlp.c_gate.{}", "mlp.c_fc.{}"] as [Name]).enumerated() where options.contains("gatefirst") {
      all.append(("transformer.resblocks.{}." + name, "blocks.{}.mlp.fc1.{}", .part(part, of: 2)))
    }
    return all.map { ParameterRule(request.scoped($0.0), request.scoped($0.1), $0.2) }
  }

  private typealias Row = (Name, Name, ParameterRule.Arrangement)

  private static var top: [Row] {
    [
      ("stem.{}.{}.{}", "patch_embed.backbone.{}.{}.{}", .whole),
      ("rel_pos.{}.{}", "shared_rel_pos.mlp.{}.{}", .whole),
      ("conv1.{}", "patch_embed.proj.{}", .whole), ("class_embedding", "cls_token", .whole),
      ("positional_embedding", "pos_embed", .whole), ("ln_pre.{}", "norm_pre.{}", .whole),
      ("ln_post.{}", "norm.{}", .whole), ("ln_pool.{}", "fc_norm.{}", .whole),
      ("attn_pool.probe", "attn_pool.latent", .whole), ("attn_pool.q_proj.{}", "attn_pool.q.{}", .whole),
      ("attn_pool.k_proj.{}", "attn_pool.kv.{}", .part(0, of: 2)),
      ("attn_pool.v_proj.{}", "attn_pool.kv.{}", .part(1, of: 2)),
      ("attn_pool.out_proj.{}", "attn_pool.proj.{}", .whole), ("attn_pool.ln.{}", "attn_pool.norm.{}", .whole),
      ("attn_pool.mlp.c_fc.{}", "attn_pool.mlp.fc1.{}", .whole),
      ("attn_pool.mlp.c_proj.{}", "attn_pool.mlp.fc2.{}", .whole),
    ]
  }

  /// Names that architectures have in place of others.
  private static var alternatives: [Row] {
    [("register_embedding", "reg_token", .whole), ("register_embedding", "dist_token", .whole)]
  }

  private static var block: [(Name, Name)] {
    [
      ("ln_1.{}", "norm1.{}"), ("ln_2.{}", "norm2.{}"), ("attn.out_proj.{}", "attn.proj.{}"),
      ("attn.relative_position_bias_table", "attn.relative_position_bias_table"),
      ("attn.relative_position_bias_table", "attn.rel_pos.relative_position_bias_table"),
      ("attn.rel_pos.fc1.{}", "attn.rel_pos.mlp.fc1.{}"), ("attn.rel_pos.fc2.{}", "attn.rel_pos.mlp.fc2.{}"),
      ("attn.q_proj.{}", "attn.q_proj.{}"), ("attn.k_proj.{}", "attn.k_proj.{}"),
      ("attn.v_proj.{}", "attn.v_proj.{}"), ("attn.ln_q.{}", "attn.q_norm.{}"), ("attn.ln_k.{}", "attn.k_norm.{}"),
      ("attn.ln_inner.{}", "attn.norm.{}"), ("ls_1.gamma", "ls1.gamma"), ("ls_2.gamma", "ls2.gamma"),
      ("ls_1.gamma", "gamma_1"), ("ls_2.gamma", "gamma_2"), ("mlp.c_gate.{}", "mlp.fc1_g.{}"),
      ("mlp.c_fc.{}", "mlp.fc1_x.{}"), ("mlp.c_fc.{}", "mlp.fc1.{}"), ("mlp.ln.{}", "mlp.norm.{}"),
      ("mlp.c_proj.{}", "mlp.fc2.{}"),
    ]
  }
}
