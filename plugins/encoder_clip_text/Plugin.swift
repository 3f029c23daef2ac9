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
  let hasClass = graph.flag("class_token")
  let tokens = graph.tokens(
    vocabulary: graph.size("vocab_size"), contextLength: graph.size("context_length"),
    endToken: graph.integer("end_token", -1), isPadded: hasClass || graph.has("pool", "last", "end"))
  var x = graph.embedding(tokens, "token_embedding", width: block.width)
  if hasClass { x = block.appendClass(x, tokens) }
  x = block.all(graph.positions(x, "positional_embedding"), scope: "transformer")
  let pooled = block.norm(graph.textRow(x, hasClass: hasClass), "ln_final")
  guard graph.flag("projection", true) else { return pooled }
  return graph.linear(pooled, "text_projection", features: graph.size("embed_dim"), bias: graph.flag("projection_bias"))
}
