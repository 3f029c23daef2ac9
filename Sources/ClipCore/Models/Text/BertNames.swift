/// Where BERT's kin have the parameters of the encoder bert.
extension BertFamily {
  private static var layer: Name { "encoder.layer.{}." }

  private static func rules(_ names: [(Name, Name)]) -> [ParameterRule] {
    names.map { ParameterRule(suffix: layer + $0.0, $0.1) }
  }

  static var mpnet: [ParameterRule] {
    rules([
      ("attention.self.query.{}", layer + "attention.attn.q.{}"),
      ("attention.self.key.{}", layer + "attention.attn.k.{}"),
      ("attention.self.value.{}", layer + "attention.attn.v.{}"),
      ("attention.output.dense.{}", layer + "attention.attn.o.{}"),
      ("attention.output.LayerNorm.{}", layer + "attention.LayerNorm.{}"),
    ])
  }

  static var distilBert: [ParameterRule] {
    let file: Name = "transformer.layer.{}."
    return rules([
      ("attention.self.query.{}", file + "attention.q_lin.{}"), ("attention.self.key.{}", file + "attention.k_lin.{}"),
      ("attention.self.value.{}", file + "attention.v_lin.{}"),
      ("attention.output.dense.{}", file + "attention.out_lin.{}"),
      ("attention.output.LayerNorm.{}", file + "sa_layer_norm.{}"), ("intermediate.dense.{}", file + "ffn.lin1.{}"),
      ("output.dense.{}", file + "ffn.lin2.{}"), ("output.LayerNorm.{}", file + "output_layer_norm.{}"),
    ])
  }

  static var albert: [ParameterRule] {
    let file: Name = "encoder.albert_layer_groups.{}.albert_layers.0."
    return rules([
      ("attention.self.query.{}", file + "attention.query.{}"), ("attention.self.key.{}", file + "attention.key.{}"),
      ("attention.self.value.{}", file + "attention.value.{}"),
      ("attention.output.dense.{}", file + "attention.dense.{}"),
      ("attention.output.LayerNorm.{}", file + "attention.LayerNorm.{}"), ("intermediate.dense.{}", file + "ffn.{}"),
      ("output.dense.{}", file + "ffn_output.{}"), ("output.LayerNorm.{}", file + "full_layer_layer_norm.{}"),
    ]) + [
      ParameterRule(suffix: "embeddings_project.{}", "encoder.embedding_hidden_mapping_in.{}"),
      ParameterRule(suffix: "pooler.dense.{}", "pooler.{}"),
    ]
  }

  static var deberta: [ParameterRule] {
    rules([
      ("attention.self.query.{}", layer + "attention.self.query_proj.{}"),
      ("attention.self.key.{}", layer + "attention.self.key_proj.{}"),
      ("attention.self.value.{}", layer + "attention.self.value_proj.{}"),
    ])
  }

  /// transformers' names, and those of the files on the hub.
  static var nomic: [ParameterRule] {
    let (file, hub): (Name, Name) = ("layers.{}.", "encoder.layers.{}.")
    var list = rules([
      ("attention.self.query.{}", file + "self_attn.q_proj.{}"),
      ("attention.self.key.{}", file + "self_attn.k_proj.{}"),
      ("attention.self.value.{}", file + "self_attn.v_proj.{}"),
      ("attention.output.dense.{}", file + "self_attn.o_proj.{}"),
      ("attention.output.dense.{}", hub + "attn.out_proj.{}"),
      ("attention.output.LayerNorm.{}", file + "post_attention_layernorm.{}"),
      ("attention.output.LayerNorm.{}", hub + "norm1.{}"), ("intermediate.dense.{}", file + "mlp.up_proj.{}"),
      ("intermediate.dense.{}", hub + "mlp.fc11.{}"), ("intermediate.gate.{}", file + "mlp.gate_proj.{}"),
      ("intermediate.gate.{}", hub + "mlp.fc12.{}"), ("output.dense.{}", file + "mlp.down_proj.{}"),
      ("output.dense.{}", hub + "mlp.fc2.{}"), ("output.LayerNorm.{}", file + "post_mlp_layernorm.{}"),
      ("output.LayerNorm.{}", hub + "norm2.{}"),
    ])
    for (part, name) in (["query", "key", "value"] as [Name]).enumerated() {
      list.append(
        ParameterRule(suffix: layer + "attention.self." + name + ".{}", hub + "attn.Wqkv.{}", .part(part, of: 3)))
    }
    return list + [ParameterRule(suffix: "embeddings.LayerNorm.{}", "emb_ln.{}")]
  }
}
