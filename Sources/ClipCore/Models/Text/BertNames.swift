/// The names of BERT-like models for the parameters of the encoder bert.
extension BertFamily {
  private static var layer: Name { "encoder.layer.{}." }

  static var mpnet: [ParameterRule] {
    ParameterRule.rules(
      """
      attention.self.query.{}       attention.attn.q.{}
      attention.self.key.{}         attention.attn.k.{}
      attention.self.value.{}       attention.attn.v.{}
      attention.output.dense.{}     attention.attn.o.{}
      attention.output.LayerNorm.{} attention.LayerNorm.{}
      """, under: layer, layer, isSuffix: true)
  }

  static var distilBert: [ParameterRule] {
    ParameterRule.rules(
      """
      attention.self.query.{}       attention.q_lin.{}
      attention.self.key.{}         attention.k_lin.{}
      attention.self.value.{}       attention.v_lin.{}
      attention.output.dense.{}     attention.out_lin.{}
      attention.output.LayerNorm.{} sa_layer_norm.{}
      intermediate.dense.{}         ffn.lin1.{}
      output.dense.{}               ffn.lin2.{}
      output.LayerNorm.{}           output_layer_norm.{}
      """, under: layer, "transformer.layer.{}.", isSuffix: true)
  }

  static var albert: [ParameterRule] {
    ParameterRule.rules(
      """
      attention.self.query.{}       attention.query.{}
      attention.self.key.{}         attention.key.{}
      attention.self.value.{}       attention.value.{}
      attention.output.dense.{}     attention.dense.{}
      attention.output.LayerNorm.{} attention.LayerNorm.{}
      intermediate.dense.{}         ffn.{}
      output.dense.{}               ffn_output.{}
      output.LayerNorm.{}           full_layer_layer_norm.{}
      """, under: layer, "encoder.albert_layer_groups.{}.albert_layers.0.", isSuffix: true)
      + ParameterRule.rules(
        """
        embeddings_project.{} encoder.embedding_hidden_mapping_in.{}
        pooler.dense.{}       pooler.{}
        """, isSuffix: true)
  }

  static var deberta: [ParameterRule] {
    ParameterRule.rules(
      """
      attention.self.query.{} attention.self.query_proj.{}
      attention.self.key.{}   attention.self.key_proj.{}
      attention.self.value.{} attention.self.value_proj.{}
      """, under: layer, layer, isSuffix: true)
  }

  /// transformers' names, and those of files on the hub.
  static var nomic: [ParameterRule] {
    ParameterRule.rules(
      """
      attention.self.query.{}       layers.{}.self_attn.q_proj.{}
      attention.self.key.{}         layers.{}.self_attn.k_proj.{}
      attention.self.value.{}       layers.{}.self_attn.v_proj.{}
      attention.output.dense.{}     layers.{}.self_attn.o_proj.{}
      attention.output.dense.{}     encoder.layers.{}.attn.out_proj.{}
      attention.output.LayerNorm.{} layers.{}.post_attention_layernorm.{}
      attention.output.LayerNorm.{} encoder.layers.{}.norm1.{}
      intermediate.dense.{}         layers.{}.mlp.up_proj.{}
      intermediate.dense.{}         encoder.layers.{}.mlp.fc11.{}
      intermediate.gate.{}          layers.{}.mlp.gate_proj.{}
      intermediate.gate.{}          encoder.layers.{}.mlp.fc12.{}
      output.dense.{}               layers.{}.mlp.down_proj.{}
      output.dense.{}               encoder.layers.{}.mlp.fc2.{}
      output.LayerNorm.{}           layers.{}.post_mlp_layernorm.{}
      output.LayerNorm.{}           encoder.layers.{}.norm2.{}
      attention.self.query.{}       encoder.layers.{}.attn.Wqkv.{} 0/3
      attention.self.key.{}         encoder.layers.{}.attn.Wqkv.{} 1/3
      attention.self.value.{}       encoder.layers.{}.attn.Wqkv.{} 2/3
      """, under: layer, isSuffix: true)
      + [ParameterRule(suffix: "embeddings.LayerNorm.{}", "emb_ln.{}")]
  }
}
