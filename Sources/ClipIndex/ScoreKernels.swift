import CClip
import CSystem

/// The kernel set that computes for a runtime, held for as long as this is.
final class ScoreKernels {
  private let table: UnsafePointer<clip_kernels>
  private let reference: OpaquePointer

  convenience init(_ runtime: Runtime) throws(ClipError) {
    var active: Name?
    let status = withUnsafeMutablePointer(to: &active) { active in
      clip_plugins_visit(
        runtime.handle,
        { active, info in
          guard let info = info?.pointee, info.kind == CLIP_KIND_KERNELS, info.active != 0, let id = info.id else {
            return 0
          }
          active?.assumingMemoryBound(to: Name?.self).pointee = Name(cString: id)
          return 1
        }, active)
    }
    try call(status)
    guard let active else { throw ClipError(CLIP_UNSUPPORTED, "index: expected kernels in the runtime, found none") }
    var table: UnsafeRawPointer?
    var reference: OpaquePointer?
    let id = active.utf8.map { CChar(bitPattern: $0) } + [0]
    try call(clip_plugin_table_hold(runtime.handle, CLIP_KIND_KERNELS, id, &table, &reference))
    guard let table, let reference else {
      throw ClipError(CLIP_PLUGIN, "index: expected a table of kernels, found none")
    }
    self.init(table.assumingMemoryBound(to: clip_kernels.self), reference)
  }

  private init(_ table: UnsafePointer<clip_kernels>, _ reference: OpaquePointer) {
    self.table = table
    self.reference = reference
  }

  deinit { clip_plugin_reference_release(reference) }

  /// Scores rows [first, first + count) of a segment.
  @inline(__always)
  func score(
    _ segment: LoadedSegment, _ first: Int, _ count: Int, _ query: UnsafeRawPointer, _ queryScale: Float,
    _ format: RowFormat, _ scores: UnsafeMutablePointer<Float>
  ) {
    var work = clip_score_rows()
    work.rows = UnsafeRawPointer(segment.rows(format) + first * format.loadedRowBytes)
    work.storage = format.storage
    if format.hasBytes { work.scales = UnsafePointer(segment.scales + first) }
    work.query = query
    work.query_scale = queryScale
    work.count = count
    work.width = format.paddedWidth
    work.scores = scores
    table.pointee.score_rows(&work)
  }
}
