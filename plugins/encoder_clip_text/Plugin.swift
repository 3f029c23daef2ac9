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
  let hasClass = graph.flag("class_token")
  let tokens =
    hasClass || graph.has("pool", "last", "end")
    ? graph.tokens(vocabulary: vocabulary, contextLength: context, CLIP_END_LAST)
    : graph.tokens(vocabulary: vocabulary, contextLength: context, endToken: graph.integer("end_token", -1))
  let embedded = graph.embedding(tokens, "token_embedding", width: block.width)
  let pooled = block.norm(hasClass ? classRow(graph, tokens, embedded, block) : row(graph, embedded, block), "ln_final")
  guard graph.flag("projection", true) else { return pooled }
  return graph.linear(
    pooled, "text_projection", features: graph.size("embed_dim"), bias: graph.flag("projection_bias"))
}

private func row(_ graph: Graph, _ embedded: clip_value, _ block: TransformerBlock) -> clip_value {
  let rows = block.all(graph.positions(embedded, "positional_embedding"), scope: "transformer")
  return graph.has("pool", "first", "end") ? graph.firstRow(rows) : graph.endRow(rows)
}

/// CoCa's class token after the text (Yu et al., 2022, https://arxiv.org/abs/2205.01917).
private func classRow(
  _ graph: Graph, _ tokens: clip_value, _ embedded: clip_value, _ block: TransformerBlock
) -> clip_value {
  var block = block
  let bias = graph.op(
    "padding_bias", "", [tokens],
    settings: [("heads", Double(block.heads)), ("token", Double(graph.integer("pad_token", 0)))])
  block.bias = { bias }
  let x = graph.append(embedded, graph.rowParameter("cls_emb", width: block.width))
  let rows = block.all(graph.positions(x, "positional_embedding"), scope: "transformer")
  return graph.meanRows(rows, first: graph.size("context_length"), count: 1)
}
