import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.encoder-bert", version: "0.1.0", license: "Apache-2.0") { table in
    table.add(
      clip_encoder(
        struct_size: UInt32(MemoryLayout<clip_encoder>.size), tower: UInt32(CLIP_TOWER_TEXT),
        id: StaticString("clipcore.encoder.bert").cString,
        description: StaticString(
          "BERT: post-norm blocks over the tokens before padding, pooled by its pooler or their mean"
        ).cString,
        build: { $0.map { buildBert(Graph($0)) } ?? -1 },
        example: StaticString(
          #"""
          {"vocab_size": 30522, "context_length": 512}
          """#
        ).cString,
        strengths: StaticString("global-context:3").cString))
  }
}

/// BERT (Devlin et al., 2019, https://arxiv.org/abs/1810.04805) with the names of transformers'
/// BertModel, all tokens of type 0. "pooling" is "pooler" (the first token through a tanh layer),
/// "mean" (of all tokens before padding) or "first".
private func buildBert(_ graph: Graph) -> clip_value {
  let width = graph.size("width", 768)
  let contextLength = graph.size("context_length")
  let epsilon = graph.number("epsilon", 1e-12)
  let tokens = graph.tokens(
    vocabulary: graph.size("vocab_size"), contextLength: contextLength, CLIP_END_PADDING,
    token: graph.integer("pad_token", 0))

  graph.push("embeddings")
  var x = graph.embedding(tokens, "word_embeddings", width: width)
  x = graph.positions(x, "position_embeddings.weight", rows: graph.size("positions", contextLength))
  let types = graph.tableRow(
    "token_type_embeddings.weight", rows: graph.size("type_vocab_size", 2), row: 0, width: width)
  x = graph.layerNorm(graph.add(x, types), "LayerNorm", epsilon)
  graph.pop()

  let heads = graph.size("heads", 12)
  let mlpWidth = graph.size("mlp_width", 3072)
  let activation = graph.activation("activation")
  for layer in 0..<graph.size("layers", 12) {
    graph.push("encoder.layer.\(layer)")
    x = block(graph, x, width, heads, mlpWidth, activation, epsilon)
    graph.pop()
  }

  if graph.has("pooling", "mean", "pooler") { return graph.meanRows(x) }
  if graph.has("pooling", "first", "pooler") { return graph.firstRow(x) }
  if !graph.has("pooling", "pooler", "pooler") {
    graph.fail("config: pooling: expected pooler, mean or first, found " + graph.text("pooling", ""))
  }
  return graph.activate(graph.linear(graph.firstRow(x), "pooler.dense", features: width), CLIP_TANH)
}

/// A block whose norms come after the sums.
private func block(
  _ graph: Graph, _ x: clip_value, _ width: UInt32, _ heads: UInt32, _ mlpWidth: UInt32,
  _ activation: clip_activation, _ epsilon: Double
) -> clip_value {
  let q = graph.linear(x, "attention.self.query", features: width)
  let k = graph.linear(x, "attention.self.key", features: width)
  let v = graph.linear(x, "attention.self.value", features: width)
  let heads = graph.linear(graph.attention(q, k, v, heads: heads), "attention.output.dense", features: width)
  let attended = graph.layerNorm(graph.add(x, heads), "attention.output.LayerNorm", epsilon)
  let hidden = graph.activate(graph.linear(attended, "intermediate.dense", features: mlpWidth), activation)
  return graph.layerNorm(
    graph.add(attended, graph.linear(hidden, "output.dense", features: width)), "output.LayerNorm", epsilon)
}
