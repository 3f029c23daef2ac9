import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.encoder-bert", version: "0.2.0", license: "Apache-2.0") { table in
    table.addEncoder(
      CLIP_TOWER_TEXT, id: "clipcore.encoder.bert",
      description:
        "BERT and its kin: post-norm blocks over the tokens before padding, pooled by a pooler or their mean",
      strengths: "global-context:3",
      example: #"{"vocab_size": 30522, "context_length": 512}"#
    ) { Graph.build($0) { Bert($0).build() } }
  }
}

/// BERT (Devlin et al., 2019, https://arxiv.org/abs/1810.04805) with the names of transformers' BertModel and with the
/// options of RoBERTa, XLM-R, MPNet, DistilBERT, ALBERT, ELECTRA, DeBERTa-v2 and NomicBERT. All tokens have type 0.
/// "pooling" is "pooler" (the first token through a layer with "pooler_activation") or one of `Graph.pooled`.
private struct Bert {
  let graph: Graph
  let width: UInt32
  let heads: UInt32
  let epsilon: Double
  let hasBias: Bool
  let isGated: Bool

  init(_ graph: Graph) {
    self.graph = graph
    width = graph.size("width", 768)
    heads = graph.size("heads", 12)
    epsilon = graph.number("epsilon", 1e-12)
    hasBias = graph.flag("bias", true)
    isGated = graph.flag("gated_mlp")
  }

  func build() -> clip_value {
    let tokens = graph.tokens(
      vocabulary: graph.size("vocab_size"), contextLength: graph.size("context_length"), CLIP_END_PADDING,
      token: graph.integer("pad_token", 0))
    var x = embed(tokens)
    let attention = attention(tokens)
    let layers = graph.size("layers", 12)
    // Consecutive layers may share parameters: each of the groups has those of one layer.
    let groups = graph.size("layer_groups", layers)
    for layer in 0..<layers {
      graph.push("encoder.layer.\(UInt64(layer) * UInt64(groups) / UInt64(layers))")
      x = block(x, attention)
      graph.pop()
    }
    guard graph.has("pooling", "pooler", "pooler") else { return graph.pooled(x, "pooler") }
    let dense = graph.linear(graph.firstRow(x), "pooler.dense", features: width)
    return graph.activate(dense, CLIP_TANH)
  }

  private func embed(_ tokens: clip_value) -> clip_value {
    let narrow = graph.size("embedding_width", width)
    graph.push("embeddings")
    var x = graph.embedding(tokens, "word_embeddings", width: narrow)
    let first = graph.integer("first_position", 0)
    if graph.flag("has_positions", true) {
      x = graph.positions(
        x, "position_embeddings.weight", rows: graph.size("positions", graph.size("context_length")),
        first: UInt32(clamping: first))
    }
    if graph.flag("has_types", true) {
      let types = graph.tableRow(
        "token_type_embeddings.weight", rows: graph.size("type_vocab_size", 2), row: 0, width: narrow)
      x = graph.add(x, types)
    }
    x = graph.layerNorm(x, "LayerNorm", epsilon)
    graph.pop()
    return narrow == width ? x : graph.linear(x, "embeddings_project", features: width)
  }

  private typealias Attention = (clip_value, clip_value, clip_value) -> clip_value

  /// The attention of all layers, with the values that the layers share.
  private func attention(_ tokens: clip_value) -> Attention {
    if graph.has("position_type", "rotary", "absolute") {
      let angles = graph.sinusoids(
        tokens,
        clip_sinusoids(
          width: width / max(1, heads), theta: graph.number("rotary_theta", 10000), factor: 1, first: 0, spread: 0))
      return { q, k, v in
        graph.attention(
          graph.rotary(q, angles, heads: heads), graph.rotary(k, angles, heads: heads), v, heads: heads)
      }
    }
    if graph.has("position_type", "buckets", "absolute") {
      let bias = graph.table(
        "encoder.relative_attention_bias.weight", rows: graph.size("buckets", 32), width: heads)
      var options = clip_attention_options()
      options.heads = heads
      options.bias_distance = graph.size("bucket_distance", 128)
      return { graph.attention($0, $1, $2, bias: bias, options) }
    }
    guard graph.has("position_type", "disentangled", "absolute") else {
      return { graph.attention($0, $1, $2, heads: heads) }
    }
    let span = graph.size("span")
    let (keys, queries) = (graph.flag("key_positions", true), graph.flag("query_positions", true))
    var table = graph.table("encoder.rel_embeddings.weight", rows: 2 * span, width: width)
    if graph.flag("position_norm") { table = graph.layerNorm(table, "encoder.LayerNorm", epsilon) }
    // With shared projections, positions use the projections of the content.
    let isShared = graph.flag("shared_projections")
    let scale = graph.number("scale", 1)
    let distance = UInt32(clamping: graph.integer("distance", 0))
    return { q, k, v in
      graph.disentangledAttention(
        q, k, v,
        keyPositions: keys
          ? graph.linear(table, "attention.self." + (isShared ? "key" : "pos_key_proj"), features: width) : -1,
        queryPositions: queries
          ? graph.linear(table, "attention.self." + (isShared ? "query" : "pos_query_proj"), features: width) : -1,
        heads: heads, scale: scale, span: span, distance: distance)
    }
  }

  /// A block with a norm after each residual sum.
  private func block(_ x: clip_value, _ attention: Attention) -> clip_value {
    func linear(_ x: clip_value, _ name: String, _ features: UInt32) -> clip_value {
      graph.linear(x, name, features: features, bias: hasBias)
    }
    let q = linear(x, "attention.self.query", width)
    let k = linear(x, "attention.self.key", width)
    let v = linear(x, "attention.self.value", width)
    let heads = linear(attention(q, k, v), "attention.output.dense", width)
    let attended = graph.layerNorm(graph.add(x, heads), "attention.output.LayerNorm", epsilon)
    let mlpWidth = graph.size("mlp_width", 3072)
    var hidden = linear(attended, "intermediate.dense", mlpWidth)
    if isGated {
      let gate = graph.activate(linear(attended, "intermediate.gate", mlpWidth), graph.activation("activation"))
      hidden = graph.multiply(hidden, gate)
    } else {
      hidden = graph.activate(hidden, graph.activation("activation"))
    }
    return graph.layerNorm(
      graph.add(attended, linear(hidden, "output.dense", width)), "output.LayerNorm", epsilon)
  }
}
