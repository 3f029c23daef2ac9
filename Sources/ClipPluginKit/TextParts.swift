import CClip

/// What text encoders share.
extension Graph {
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
