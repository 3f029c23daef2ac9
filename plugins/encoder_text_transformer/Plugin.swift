import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.encoder-text-transformer", version: "0.1.0", license: "Apache-2.0") { table in
    table.addEncoder(
      CLIP_TOWER_TEXT, id: "clipcore.encoder.text-transformer",
      description:
        "Pre-norm transformer of texts: T5, M2M100, ModernBERT, Gemma 3, Qwen3; pooled by mean, first or last token",
      strengths: "global-context:3",
      example: #"""
        {"vocab_size": 32128, "context_length": 512, "width": 512, "layers": 6, "heads": 8, "mlp_width": 2048,
        "positions": "rotary"}
        """#
    ) { Graph.build($0) { TextTransformer($0).build() } }
  }
}

/// Pre-norm blocks under the names of transformers' Gemma 3. "positions" is "rotary", "buckets" (T5, Raffel et al.,
/// 2020, https://arxiv.org/abs/1910.10683) or "sinusoids" (M2M100, Fan et al., 2020, https://arxiv.org/abs/2010.11125).
/// In layers whose element of "local" is 1, a row attends to "window" rows on each side, with angles of "local_theta".
private struct TextTransformer {
  let graph: Graph
  let width: UInt32
  let heads: UInt32
  let keyHeads: UInt32
  let headWidth: UInt32
  let epsilon: Double
  let offset: Double
  let usesRMS: Bool
  let local: [Int64]

  init(_ graph: Graph) {
    self.graph = graph
    width = graph.size("width")
    heads = graph.size("heads")
    keyHeads = graph.size("kv_heads", heads)
    headWidth = graph.size("head_width", max(1, width / max(1, heads)))
    epsilon = graph.number("epsilon", 1e-6)
    offset = graph.number("norm_offset", 0)
    usesRMS = graph.has("norm", "rms", "rms")
    local = graph.integers("local", most: 1024)
  }

  func build() -> clip_value {
    let tokens = graph.tokens(
      vocabulary: graph.size("vocab_size"), contextLength: graph.size("context_length"),
      graph.flag("ends_at_token") ? CLIP_END_TOKEN_ID : CLIP_END_PADDING, token: graph.integer("pad_token", 0))
    var x = graph.embedding(tokens, "embed_tokens", width: width, scale: graph.number("embedding_scale", 1))
    var angles: clip_value = -1
    var localAngles: clip_value = -1
    var bias: clip_value = -1
    if graph.has("positions", "sinusoids", "rotary") {
      let first = UInt32(clamping: graph.integer("first_position", 0))
      let places = clip_sinusoids(width: width, theta: 10000, factor: 1, first: first, spread: 1)
      x = graph.add(x, graph.sinusoids(tokens, places))
    } else if graph.has("positions", "buckets", "rotary") {
      bias = graph.table("relative_attention_bias.weight", rows: graph.size("buckets", 32), width: heads)
    } else {
      angles = rotary(tokens, graph.number("theta", 10000), graph.number("rotary_factor", 1))
      if local.contains(1) {
        localAngles = rotary(tokens, graph.number("local_theta", 10000), graph.number("local_factor", 1))
      }
    }
    if graph.flag("embedding_norm") { x = norm(x, "embedding_norm") }
    for layer in 0..<graph.size("layers") {
      let isLocal = layer < local.count && local[Int(layer)] == 1
      graph.push("layers.\(layer)")
      x = block(x, isFirst: layer == 0, angles: isLocal ? localAngles : angles, bias, isLocal: isLocal)
      graph.pop()
    }
    if graph.flag("ends_at_token"), !graph.has("pooling", "last", "mean") {
      graph.fail(
        "config: pooling: expected last where the end token pads a text, found " + graph.text("pooling", "mean"))
    }
    return graph.pooled(norm(x, "norm"), "mean")
  }

  private func rotary(_ tokens: clip_value, _ theta: Double, _ factor: Double) -> clip_value {
    graph.sinusoids(tokens, clip_sinusoids(width: headWidth, theta: theta, factor: factor, first: 0, spread: 0))
  }

  private func norm(_ x: clip_value, _ name: String) -> clip_value {
    usesRMS
      ? graph.rmsNorm(x, name, epsilon, heads: 1, offset: offset)
      : graph.layerNorm(x, name, epsilon, bias: graph.flag("norm_bias", true))
  }

  private func block(
    _ x: clip_value, isFirst: Bool, angles: clip_value, _ bias: clip_value, isLocal: Bool
  ) -> clip_value {
    let normed = isFirst && !graph.flag("first_norm", true) ? x : norm(x, "input_layernorm")
    let hasPostNorms = graph.flag("post_norms")
    var attended = attention(normed, angles: angles, bias, isLocal: isLocal)
    if hasPostNorms { attended = norm(attended, "post_attention_layernorm") }
    let y = graph.add(x, attended)
    var hidden = mlp(norm(y, "pre_feedforward_layernorm"))
    if hasPostNorms { hidden = norm(hidden, "post_feedforward_layernorm") }
    return graph.add(y, hidden)
  }

  private func attention(_ x: clip_value, angles: clip_value, _ bias: clip_value, isLocal: Bool) -> clip_value {
    let hasBias = graph.flag("attention_bias")
    var q = graph.linear(x, "self_attn.q_proj", features: heads * headWidth, bias: hasBias)
    var k = graph.linear(x, "self_attn.k_proj", features: keyHeads * headWidth, bias: hasBias)
    let v = graph.linear(x, "self_attn.v_proj", features: keyHeads * headWidth, bias: hasBias)
    if graph.flag("qk_norm") {
      q = graph.rmsNorm(q, "self_attn.q_norm", epsilon, heads: heads, offset: offset)
      k = graph.rmsNorm(k, "self_attn.k_norm", epsilon, heads: keyHeads, offset: offset)
    }
    if angles >= 0 {
      q = graph.rotary(q, angles, heads: heads)
      k = graph.rotary(k, angles, heads: keyHeads)
    }
    let options = clip_attention_options(
      heads: heads, kv_heads: keyHeads, flags: graph.flag("causal") ? UInt32(CLIP_CAUSAL) : 0,
      scale: graph.number("scale", 0), window: isLocal ? graph.size("window") : 0,
      bias_distance: bias >= 0 ? graph.size("bucket_distance", 128) : 0)
    let y = graph.attention(q, k, v, bias: bias, options)
    return graph.linear(y, "self_attn.o_proj", features: width, bias: graph.flag("output_bias", hasBias))
  }

  private func mlp(_ x: clip_value) -> clip_value {
    let mlpWidth = graph.size("mlp_width")
    let (hasBias, activation) = (graph.flag("mlp_bias"), graph.activation("activation"))
    var hidden = graph.linear(x, "mlp.up_proj", features: mlpWidth, bias: hasBias)
    if graph.flag("gated_mlp", true) {
      let gate = graph.linear(x, "mlp.gate_proj", features: mlpWidth, bias: hasBias)
      hidden = graph.multiply(graph.activate(gate, activation), hidden)
    } else {
      hidden = graph.activate(hidden, activation)
    }
    return graph.linear(hidden, "mlp.down_proj", features: width, bias: hasBias)
  }
}
