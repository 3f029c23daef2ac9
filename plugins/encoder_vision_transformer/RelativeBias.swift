import CClip
import ClipPluginKit

/// Attention biases by the distance of two patches, by the configuration's "relative_bias": "block" and "shared" are
/// BEiT's tables, "mlp" and "shared_mlp" timm's networks of width "relative_width". The shared kinds are one for all
/// blocks. nil without "relative_bias".
func relativeBias(
  _ graph: Graph, _ patches: clip_value, heads: UInt32, hasClass: Bool
) -> (() -> clip_value)? {
  let isMLP = graph.has("relative_bias", "mlp", "none") || graph.has("relative_bias", "shared_mlp", "none")
  let isShared = graph.has("relative_bias", "shared", "none") || graph.has("relative_bias", "shared_mlp", "none")
  guard isMLP || isShared || graph.has("relative_bias", "block", "none") else { return nil }
  let grid = graph.grid(patches)
  func table(_ scope: String) -> clip_value {
    if isMLP {
      var windows = clip_windows()
      (windows.window_height, windows.window_width) = grid
      let hidden = graph.linear(
        graph.windowOffsets(windows, trained: 0), scope + "rel_pos.fc1", features: graph.size("relative_width"))
      return graph.linear(graph.activate(hidden, CLIP_RELU), scope + "rel_pos.fc2", features: heads)
    }
    // Three more rows for the class token.
    let rows = (2 * max(1, grid.height) - 1) * (2 * max(1, grid.width) - 1) + (hasClass ? 3 : 0)
    return graph.table(scope + "relative_position_bias_table", rows: rows, width: heads)
  }
  func bias(_ scope: String) -> clip_value {
    graph.op(
      "grid_bias", "", [table(scope)],
      settings: [
        ("height", Double(grid.height)), ("width", Double(grid.width)), ("first", hasClass ? 1 : 0),
      ])
  }
  let shared = isShared ? bias("") : -1
  return { isShared ? shared : bias("attn.") }
}
