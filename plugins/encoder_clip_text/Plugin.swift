import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.encoder-clip-text", version: "0.1.0", license: "Apache-2.0") { table in
    table.addEncoder(
      CLIP_TOWER_TEXT, id: "clipcore.encoder.clip-text",
      description: "CLIP's text transformer: causal blocks, read at the end token, projection",
      strengths: "global-context:2",
      example: #"""
        {"vocab_size": 49408, "context_length": 77, "width": 512, "layers": 12, "heads": 8, "mlp_width":
        2048, "activation": "quick_gelu", "embed_dim": 512}
        """#
    ) { Graph.build($0, buildTextTransformer) }
  }
}

/// The text tower of Radford et al., 2021, section 2.4, with open_clip's options.
private func buildTextTransformer(_ graph: Graph) -> clip_value {
  var block = TransformerBlock(graph)
  block.isCausal = graph.flag("causal", true)
  let vocabulary = graph.size("vocab_size")
  let context = graph.size("context_length")
  let tokens =
    graph.has("pool", "last", "end")
    ? graph.tokens(vocabulary: vocabulary, contextLength: context, CLIP_END_LAST)
    : graph.tokens(vocabulary: vocabulary, contextLength: context, endToken: graph.integer("end_token", -1))
  let embedded = graph.embedding(tokens, "token_embedding", width: block.width)
  let rows = block.all(graph.positions(embedded, "positional_embedding"), scope: "transformer")
  let pooled = block.norm(graph.has("pool", "first", "end") ? graph.firstRow(rows) : graph.endRow(rows), "ln_final")
  guard graph.flag("projection", true) else { return pooled }
  return graph.linear(
    pooled, "text_projection", features: graph.size("embed_dim"), bias: graph.flag("projection_bias"))
}
