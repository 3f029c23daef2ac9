import CClip
import ClipPluginKit

extension VisionTransformer {
  /// Attention of a learned probe to all rows (Zhai et al., 2022, https://arxiv.org/abs/2106.04560, section 2).
  func attentionPool(_ x: clip_value) -> clip_value {
    graph.push("attn_pool")
    defer { graph.pop() }
    let q = graph.linear(graph.rowParameter("probe", width: width), "q_proj", features: width)
    let pooled = attend(q, x, width)
    let hidden = graph.linear(
      block.norm(pooled, "ln"), "mlp.c_fc", features: graph.size("pool_mlp_width", block.mlpWidth))
    return graph.add(
      pooled, graph.linear(graph.activate(hidden, graph.activation("activation")), "mlp.c_proj", features: width))
  }

  /// The first of CoCa's queries (Yu et al., 2022, https://arxiv.org/abs/2205.01917).
  func queryPool(_ x: clip_value) -> clip_value {
    graph.push("attn_pool")
    defer { graph.pop() }
    let features = graph.size("pool_width")
    let query = graph.tableRow("query", rows: graph.size("pool_queries"), row: 0, width: features)
    let q = graph.linear(block.norm(query, "ln_q"), "attn.q_proj", features: features)
    let normed = block.norm(x, "ln_k")
    graph.push("attn")
    defer { graph.pop() }
    return attend(q, normed, features)
  }

  private func attend(_ q: clip_value, _ x: clip_value, _ features: UInt32) -> clip_value {
    let k = graph.linear(x, "k_proj", features: features)
    let v = graph.linear(x, "v_proj", features: features)
    let heads = graph.size("pool_heads", block.heads)
    return graph.linear(graph.attention(q, k, v, heads: heads), "out_proj", features: features)
  }
}
