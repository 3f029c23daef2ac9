import CClip

/// The filters of a 3 x 3 convolution as G g G' (Lavin and Gray, 2015): 16 matrices [features, channels] in float32,
/// packed. Panels are in groups; the 16 matrices of a group follow each other in the order they are read.
final class WinogradFilters {
  let depth: Int
  private let memory: Memory
  fileprivate let features: Int
  fileprivate let panelCount: Int
  fileprivate let panelWidth: Int
  private let panelBytes: Int

  fileprivate init(memory: Memory, features: Int, depth: Int, panels: Int, panelWidth: Int, panelBytes: Int) {
    self.memory = memory
    self.features = features
    self.depth = depth
    panelCount = panels
    self.panelWidth = panelWidth
    self.panelBytes = panelBytes
  }

  /// Panels of a group: as many columns as keep the products of a block of tiles in the L2 cache.
  private var groupPanels: Int { max(1, 64 / panelWidth) }
  var groups: Int { (panelCount + groupPanels - 1) / groupPanels }
  /// The most columns of a group.
  var groupColumns: Int { groupPanels * panelWidth }

  func panels(ofGroup group: Int) -> Range<Int> {
    (group * groupPanels)..<min(panelCount, (group + 1) * groupPanels)
  }
  func columns(ofGroup group: Int) -> Range<Int> {
    (group * groupColumns)..<min(features, (group + 1) * groupColumns)
  }
  /// The panels of a group for matrix `place`.
  func matrix(_ group: Int, _ place: Int) -> UnsafeMutableRawPointer {
    let panels = panels(ofGroup: group)
    return memory.base + (panels.lowerBound * 16 + place * panels.count) * panelBytes
  }
  fileprivate func panel(_ panel: Int, _ place: Int) -> UnsafeMutableRawPointer {
    let group = panel / groupPanels
    return matrix(group, place) + (panel - group * groupPanels) * panelBytes
  }
}

extension ParameterLoader {
  /// A weight [features, channels, 3, 3], each feature times its `scale`, transformed in double precision.
  func winograd(
    _ parameter: Parameter, features: Int, channels: Int, scale: Memory?
  ) throws(ClipError) -> WinogradFilters {
    let panels = kernels.panels(features)
    let bytes = kernels.table.pointee.panel_bytes(channels, CLIP_STORAGE_F32)
    let memory = try Memory(
      byteCount: try product(try product(panels, 16, "packed weights"), bytes, "packed weights"), for: "packed weights")
    memory.count(in: meter)
    let filters = WinogradFilters(
      memory: memory, features: features, depth: channels, panels: panels, panelWidth: kernels.panelWidth,
      panelBytes: bytes)
    let stored = try find(parameter)
    let packing = WinogradPacking(
      filters: filters, stored: stored, scale: scale, kernels: kernels, pieces: max(1, min(panels, 4 * threads.width)))
    threads.run(packing.pieces, packing)
    try packing.failures.throwFirst()
    return filters
  }
}

/// The panels of the filters, read, transformed and packed by several threads.
private struct WinogradPacking: Work {
  let filters: WinogradFilters
  let stored: StoredParameter
  let scale: Memory?
  unowned(unsafe) let kernels: Kernels
  let pieces: Int
  let failures = Failures()

  func part(_ piece: Int) {
    do throws(ClipError) {
      let matrix = try product(filters.panelWidth, filters.depth, "a panel")
      let rows = try Memory(floats: try product(matrix, 9, "a panel"), for: "a panel")
      let transformed = try Memory(floats: try product(matrix, 16, "a panel"), for: "a panel")
      for panel in filters.panelCount.share(piece, of: pieces) {
        try pack(panel, rows.floats, transformed.floats, matrix)
      }
    } catch {
      failures.record(error, piece)
    }
  }

  /// `transformed` has room for 16 matrices of `matrix` elements.
  private func pack(
    _ panel: Int, _ rows: UnsafeMutablePointer<Float>, _ transformed: UnsafeMutablePointer<Float>, _ matrix: Int
  ) throws(ClipError) {
    let channels = filters.depth
    let first = panel * filters.panelWidth
    let count = min(filters.panelWidth, filters.features - first)
    try stored.read(rows: first..<(first + count), into: rows)
    for index in 0..<(count * channels) {
      transform(rows + index * 9, scale?.floats[first + index / channels] ?? 1, to: transformed + index, matrix)
    }
    for place in 0..<16 {
      kernels.table.pointee.pack_panel(
        transformed + place * matrix, channels, count, channels, CLIP_STORAGE_F32, filters.panel(panel, place))
    }
  }

  /// G g G' of one filter g; its 16 elements are `stride` apart.
  private func transform(
    _ filter: UnsafePointer<Float>, _ scale: Float, to target: UnsafeMutablePointer<Float>, _ stride: Int
  ) {
    func spread(_ a: SIMD4<Double>, _ b: SIMD4<Double>, _ c: SIMD4<Double>, _ row: Int) -> SIMD4<Double> {
      switch row {
      case 0: a
      case 1: (a + b + c) * 0.5
      case 2: (a - b + c) * 0.5
      default: c
      }
    }
    func line(_ row: Int) -> SIMD4<Double> {
      SIMD4(Double(filter[3 * row]), Double(filter[3 * row + 1]), Double(filter[3 * row + 2]), 0) * Double(scale)
    }
    let (a, b, c) = (line(0), line(1), line(2))
    for row in 0..<4 {
      let sums = spread(a, b, c, row)
      for column in 0..<4 {
        let sum = spread(SIMD4(repeating: sums.x), SIMD4(repeating: sums.y), SIMD4(repeating: sums.z), column)
        target[(4 * row + column) * stride] = Float(sum.x)
      }
    }
  }
}
