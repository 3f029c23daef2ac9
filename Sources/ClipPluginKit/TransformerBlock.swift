import CClip

/// A transformer's block under open_clip's names, with the options of open_clip, timm and transformers. Options are
/// read from the encoder's configuration; an absent option is off.
public struct TransformerBlock {
  public let width: UInt32
  public let heads: UInt32
  public let layers: UInt32
  public let mlpWidth: UInt32
  public let activation: clip_activation
  public let epsilon: Double
  /// Applied to queries and keys between their projections and the attention, such as rotary positions.
  public var place: ((clip_value) -> clip_value)?
  /// Makes the bias of a block's attention scores; see the op attention. Not for causal blocks.
  public var bias: (() -> clip_value)?
  public var isCausal = false

  let graph: Graph
  /// Whether norms apply to a branch's output instead of its input (res-post-norm).
  private let normsOutput: Bool
  private let hasLayerScale: Bool
  private let hasQueryNorm: Bool
  private let hasAttentionNorm: Bool
  private let hasOutputNorm: Bool
  private let hasMLPNorm: Bool
  private let isGated: Bool
  private let usesRMS: Bool
  private let hasBias: (queries: Bool, keys: Bool)

  public init(_ graph: Graph, epsilon fallback: Double = 1e-5) {
    self.graph = graph
    width = graph.size("width")
    heads = graph.size("heads")
    layers = graph.size("layers")
    mlpWidth = graph.size("mlp_width")
    activation = graph.activation("activation")
    epsilon = graph.number("epsilon", fallback)
    normsOutput = graph.flag("post_norm")
    hasLayerScale = graph.flag("layer_scale")
    hasQueryNorm = graph.flag("qk_norm")
    hasAttentionNorm = graph.flag("attention_norm")
    hasOutputNorm = graph.flag("output_norm")
    hasMLPNorm = graph.flag("mlp_norm")
    isGated = graph.flag("gated_mlp")
    usesRMS = graph.has("norm_type", "rms", "layer")
    let keysHaveBias = graph.has("qkv_bias", "all", "all")
    hasBias = (keysHaveBias || graph.has("qkv_bias", "no_key", "all"), keysHaveBias)
  }

  /// All blocks, under "<scope>.resblocks.<i>".
  public func all(_ x: clip_value, scope: String) -> clip_value {
    graph.push(scope)
    defer { graph.pop() }
    var x = x
    for layer in 0..<layers {
      graph.push("resblocks.\(layer)")
      x = block(x)
      graph.pop()
    }
    return x
  }

  /// The block's kind of norm.
  public func norm(_ x: clip_value, _ name: String, heads: UInt32 = 1) -> clip_value {
    usesRMS ? graph.rmsNorm(x, name, epsilon) : graph.layerNorm(x, name, epsilon, heads: heads)
  }

  private func block(_ x: clip_value) -> clip_value {
    let attended = attention(normsOutput ? x : norm(x, "ln_1"))
    let y = graph.add(x, scaled(normsOutput ? norm(attended, "ln_1") : attended, "ls_1"))
    let hidden = mlp(normsOutput ? y : norm(y, "ln_2"))
    return graph.add(y, scaled(normsOutput ? norm(hidden, "ln_2") : hidden, "ls_2"))
  }

  private func attention(_ x: clip_value) -> clip_value {
    var q = graph.linear(x, "attn.q_proj", features: width, bias: hasBias.queries)
    var k = graph.linear(x, "attn.k_proj", features: width, bias: hasBias.keys)
    let v = graph.linear(x, "attn.v_proj", features: width, bias: hasBias.queries)
    if hasQueryNorm {
      q = norm(q, "attn.ln_q", heads: heads)
      k = norm(k, "attn.ln_k", heads: heads)
    }
    if let place { (q, k) = (place(q), place(k)) }
    var y =
      bias.map { graph.attention(q, k, v, bias: $0(), heads: heads, causal: isCausal) }
      ?? graph.attention(q, k, v, heads: heads, causal: isCausal)
    if hasAttentionNorm { y = norm(y, "attn.ln_inner") }
    y = graph.linear(y, "attn.out_proj", features: width)
    return hasOutputNorm ? norm(y, "ln_attn") : y
  }

  private func mlp(_ x: clip_value) -> clip_value {
    var hidden = graph.linear(x, "mlp.c_fc", features: mlpWidth)
    if isGated {
      let gate = graph.activate(graph.linear(x, "mlp.c_gate", features: mlpWidth), activation)
      hidden = graph.multiply(gate, hidden)
    } else {
      hidden = graph.activate(hidden, activation)
    }
    if hasMLPNorm { hidden = norm(hidden, "mlp.ln") }
    return graph.linear(hidden, "mlp.c_proj", features: width)
  }

  private func scaled(_ x: clip_value, _ name: String) -> clip_value {
    hasLayerScale ? graph.multiply(x, graph.rowParameter(name + ".gamma", width: width)) : x
  }
}
