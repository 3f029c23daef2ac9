import CClip
import CSystem
import ClipPluginKit

/// Rotary positions of patches, by the configuration's "rotary": "grid" (timm's EVA and Perception Encoder), "dinov3"
/// or "none".
struct Rotary {
  /// The op's settings.
  private var settings: [(name: StaticString, value: Double)] = []

  /// `prefix` rows come before the patches. nil for "none".
  init?(_ graph: Graph, patches: clip_value, heads: UInt32, prefix: UInt32) {
    let isDINO = graph.has("rotary", "dinov3", "none")
    guard isDINO || graph.has("rotary", "grid", "none") else { return nil }
    let grid = graph.grid(patches)
    let (height, width) = (Double(max(1, grid.height)), Double(max(1, grid.width)))
    let bands = Int(graph.width(patches) / heads / 4)
    let base = graph.number("rotary_base", isDINO ? 100 : 10000)
    let reference = Double(graph.count("rotary_reference"))
    // A coordinate is (index + offset) * scale: in DINOv3 from -1 to 1, in the others as if the grid had the
    // reference's size.
    let offset = graph.number("rotary_offset", 0)
    let origin = isDINO ? (0.5 - height / 2, 0.5 - width / 2) : (offset, offset)
    let scale =
      isDINO
      ? (4 * Double.pi / height, 4 * Double.pi / width)
      : reference > 0 ? (reference / height, reference / width) : (1, 1)
    settings = [
      ("heads", Double(heads)), ("first", Double(prefix)), ("height", height), ("width", width),
      ("halves", isDINO || graph.flag("rotary_halves") ? 1 : 0), ("row_origin", origin.0),
      ("column_origin", origin.1),
    ]
    // The first half of the pairs is rotated by one coordinate, the second half by the other.
    let rowsFirst = !graph.has("rotary_order", "xy", "yx")
    for pair in 0..<(2 * bands) {
      let band = pow(base, -Double(pair % bands) / Double(bands))
      let isRow = (pair < bands) == rowsFirst
      settings.append(("row_frequency", isRow ? band * scale.0 : 0))
      settings.append(("column_frequency", isRow ? 0 : band * scale.1))
    }
  }

  func place(_ graph: Graph, _ x: clip_value) -> clip_value { graph.op("rotary_grid", "", [x], settings: settings) }
}
