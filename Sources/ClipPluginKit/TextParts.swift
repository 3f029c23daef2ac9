import CClip

/// What text encoders share.
extension Graph {
  /// A text that ends at its last row if `isPadded`, else at `endToken`, or at its largest id if that is below 0.
  public func tokens(vocabulary: UInt32, contextLength: UInt32, endToken: Int64, isPadded: Bool) -> clip_value {
    let rule = isPadded ? CLIP_END_LAST : endToken < 0 ? CLIP_END_LARGEST_ID : CLIP_END_TOKEN_ID
    return tokens(vocabulary: vocabulary, contextLength: contextLength, rule, token: max(0, endToken))
  }
  /// The row that stands for a text: the class token after its "context_length" rows, or, by "pool", the first row or
  /// the row where the text ends.
  public func textRow(_ x: clip_value, hasClass: Bool) -> clip_value {
    if hasClass { return meanRows(x, first: size("context_length"), count: 1) }
    return has("pool", "first", "end") ? firstRow(x) : endRow(x)
  }

  /// The pooled rows of a text: "pooling" is "mean", "first", "last" (at the text's end), "max", or several of them
  /// side by side in the order first, max, mean.
  public func pooled(_ x: clip_value, _ fallback: StaticString) -> clip_value {
    let kinds: [(StaticString, (clip_value) -> clip_value)] = [
      ("mean", meanRows), ("first", firstRow), ("last", endRow), ("max", maxRows),
      ("first+max", { concat(firstRow($0), maxRows($0)) }), ("first+mean", { concat(firstRow($0), meanRows($0)) }),
      ("max+mean", { concat(maxRows($0), meanRows($0)) }),
      ("first+max+mean", { concat(concat(firstRow($0), maxRows($0)), meanRows($0)) }),
    ]
    for (name, pool) in kinds where has("pooling", name, fallback) { return pool(x) }
    fail("config: pooling: expected mean, first, last or max, found " + text("pooling", ""))
    return x
  }

  public func embedding(_ tokens: clip_value, _ name: String, width: UInt32, scale: Double) -> clip_value {
    op("embedding", name, [tokens], settings: [("width", Double(width)), ("scale", scale)])
  }
  /// A norm with one weight for each head's elements; `offset` is added to the weight.
  public func rmsNorm(_ x: clip_value, _ name: String, _ epsilon: Double, heads: UInt32, offset: Double) -> clip_value {
    op("rms_norm", name, [x], settings: [("epsilon", epsilon), ("heads", Double(heads)), ("offset", offset)])
  }
  public func layerNorm(_ x: clip_value, _ name: String, _ epsilon: Double, bias: Bool) -> clip_value {
    op("layer_norm", name, [x], settings: [("epsilon", epsilon), ("bias", bias ? 1 : 0)])
  }
  public func sinusoids(_ x: clip_value, _ options: clip_sinusoids) -> clip_value {
    clip_op_sinusoids(builder, x, options)
  }
  public func rotary(_ x: clip_value, _ angles: clip_value, heads: UInt32, interleaved: Bool = false) -> clip_value {
    clip_op_rotary(builder, x, angles, heads, interleaved ? 1 : 0)
  }
  public func attention(
    _ q: clip_value, _ k: clip_value, _ v: clip_value, bias: clip_value = -1, _ options: clip_attention_options
  ) -> clip_value {
    clip_op_attention_with(builder, q, k, v, bias, options)
  }
  public func disentangledAttention(
    _ q: clip_value, _ k: clip_value, _ v: clip_value, keyPositions: clip_value, queryPositions: clip_value,
    heads: UInt32, scale: Double, span: UInt32, distance: UInt32
  ) -> clip_value {
    clip_op_disentangled_attention(builder, q, k, v, keyPositions, queryPositions, heads, scale, span, distance)
  }
}

extension TransformerBlock {
  /// Appends CoCa's class token, the parameter "cls_emb" (Yu et al., 2022, https://arxiv.org/abs/2205.01917), to the
  /// rows of a text. It does not attend to padding, the tokens "pad_token".
  public mutating func appendClass(_ x: clip_value, _ tokens: clip_value) -> clip_value {
    let padding = graph.op(
      "padding_bias", "", [tokens],
      settings: [("heads", Double(heads)), ("token", Double(graph.integer("pad_token", 0)))])
    bias = { padding }
    return graph.append(x, graph.rowParameter("cls_emb", width: width))
  }
}
