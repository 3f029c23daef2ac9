extension HuggingFaceTransformers {
  /// Where transformers has the parameters of the encoder vision-transformer: its names of today, and those of the files
  /// on the hub.
  static func rules(_ scope: Name) -> [ParameterRule] {
    let start: Name = scope.isEmpty ? "" : scope + "."
    var rules: [ParameterRule] = []
    for (name, theirs) in top { rules.append(ParameterRule(name, start + theirs)) }
    let blocks: [Name] = ["layers.{}.", "encoder.layers.{}.", "encoder.layer.{}.", "model.layer.{}.", "layer.{}."]
    for (name, theirs) in block {
      for prefix in blocks { rules.append(ParameterRule("transformer.resblocks.{}." + name, start + prefix + theirs)) }
    }
    for (part, name) in (["q", "k", "v"] as [Name]).enumerated() {
      rules.append(
        ParameterRule(
          "transformer.resblocks.{}.attn." + name + "_proj.{}", start + "encoder.layers.{}.self_attn.qkv.{}",
          .part(part, of: 3)))
    }
    for prefix in blocks {
      for (part, name) in (["mlp.c_gate.{}", "mlp.c_fc.{}"] as [Name]).enumerated() {
        rules.append(
          ParameterRule(
            "transformer.resblocks.{}." + name, start + prefix + "mlp.weights_in.{}", .part(part, of: 2)))
      }
    }
    return rules
  }

  private static var top: [(Name, Name)] {
    [
      ("conv1.{}", "embeddings.patch_embeddings.projection.{}"), ("conv1.{}", "embeddings.patch_embeddings.{}"),
      ("class_embedding", "embeddings.cls_token"), ("register_embedding", "embeddings.register_tokens"),
      ("register_embedding", "embeddings.distillation_token"),
      ("positional_embedding", "embeddings.position_embeddings"),
      ("conv1.{}", "embeddings.patch_embedding.{}"), ("class_embedding", "embeddings.class_embedding"),
      ("positional_embedding", "embeddings.position_embedding"), ("ln_post.{}", "post_layernorm.{}"),
      ("ln_post.{}", "layernorm.{}"),
      ("ln_post.{}", "norm.{}"), ("ln_pool.{}", "pooler.layernorm.{}"),
      ("relative_position_bias_table", "encoder.relative_position_bias.relative_position_bias_table"),
      ("relative_position_bias_table", "relative_position_bias.relative_position_bias_table"),
    ]
  }

  private static var block: [(Name, Name)] {
    var names: [(Name, Name)] = [
      ("ln_1.{}", "layernorm_before.{}"), ("ln_1.{}", "norm1.{}"), ("ln_1.{}", "layer_norm1.{}"),
      ("ln_2.{}", "layer_norm2.{}"), ("attn.out_proj.{}", "self_attn.projection.{}"), ("ln_2.{}", "layernorm_after.{}"),
      ("ln_2.{}", "norm2.{}"), ("attn.out_proj.{}", "attention.o_proj.{}"),
      ("attn.out_proj.{}", "attention.output.dense.{}"), ("mlp.c_fc.{}", "mlp.fc1.{}"),
      ("mlp.c_fc.{}", "intermediate.dense.{}"), ("mlp.c_proj.{}", "mlp.fc2.{}"), ("mlp.c_proj.{}", "output.dense.{}"),
      ("mlp.c_gate.{}", "mlp.gate_proj.{}"), ("mlp.c_fc.{}", "mlp.up_proj.{}"),
      ("mlp.c_proj.{}", "mlp.down_proj.{}"), ("mlp.c_proj.{}", "mlp.weights_out.{}"),
      ("attn.relative_position_bias_table", "relative_position_bias.relative_position_bias_table"),
      (
        "attn.relative_position_bias_table", "attention.attention.relative_position_bias.relative_position_bias_table"
      ),
    ]
    for (part, theirs) in [("q", "query"), ("k", "key"), ("v", "value")] as [(Name, Name)] {
      names.append(("attn." + part + "_proj.{}", "attention." + part + "_proj.{}"))
      names.append(("attn." + part + "_proj.{}", "attention.attention." + theirs + ".{}"))
    }
    for (number, theirs) in [("1", "layer_scale1.lambda1"), ("2", "layer_scale2.lambda1")] as [(Name, Name)] {
      names.append(("ls_" + number + ".gamma", theirs))
      names.append(("ls_" + number + ".gamma", "lambda_" + number))
    }
    return names
  }
}
