import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.encoder-clip-text", version: "0.1.0", license: "Apache-2.0") { table in
    table.add(
      clip_encoder(
        struct_size: UInt32(MemoryLayout<clip_encoder>.size), tower: UInt32(CLIP_TOWER_TEXT),
        id: StaticString("clipcore.encoder.clip-text").cString,
        description: StaticString("CLIP's text transformer: causal blocks, read at the end token, projection").cString,
        build: { $0.map { buildTextTransformer(Graph($0)) } ?? -1 },
        example: StaticString(
          #"""
          {"vocab_size": 49408, "context_length": 77, "width": 512, "layers": 12, "heads": 8, "mlp_width":
          2048, "activation": "quick_gelu", "embed_dim": 512}
          """#
        ).cString,
        strengths: StaticString("global-context:2").cString))
  }
}

/// The text tower of Radford et al., 2021, section 2.4.
private func buildTextTransformer(_ graph: Graph) -> clip_value {
  let width = graph.size("width")
  let epsilon = graph.number("epsilon", 1e-5)

  let tokens = graph.tokens(
    vocabulary: graph.size("vocab_size"), contextLength: graph.size("context_length"),
    endToken: graph.integer("end_token", -1))
  let embedded = graph.positions(graph.embedding(tokens, "token_embedding", width: width), "positional_embedding")
  let blocks = graph.transformer(embedded, scope: "transformer", epsilon: epsilon, causal: true)
  let pooled = graph.endRow(graph.layerNorm(blocks, "ln_final", epsilon))
  return graph.linear(pooled, "text_projection", features: graph.size("embed_dim"), bias: false)
}
