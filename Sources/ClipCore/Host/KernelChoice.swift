import CClip
import CSystem
import ClipKernels

/// Which kernel set computes.
enum KernelChoice {
  static func missing(_ table: UnsafeRawPointer) -> StaticString? {
    typealias Table = MemoryLayout<clip_kernels>
    let function = firstNull(
      in: table,
      [
        (Table.offset(of: \.panel_bytes), "panel_bytes"), (Table.offset(of: \.pack_panel), "pack_panel"),
        (Table.offset(of: \.packed_rows), "packed_rows"), (Table.offset(of: \.pack_rows), "pack_rows"),
        (Table.offset(of: \.matmul), "matmul"), (Table.offset(of: \.attention_scratch), "attention_scratch"),
        (Table.offset(of: \.attention), "attention"), (Table.offset(of: \.layer_norm), "layer_norm"),
        (Table.offset(of: \.scale_shift), "scale_shift"), (Table.offset(of: \.add), "add"),
        (Table.offset(of: \.normalize), "normalize"), (Table.offset(of: \.winograd_input), "winograd_input"),
        (Table.offset(of: \.winograd_output), "winograd_output"),
        (Table.offset(of: \.resample_across), "resample_across"), (Table.offset(of: \.resample_down), "resample_down"),
      ])
    if let function { return function }
    let kernels = table.assumingMemoryBound(to: clip_kernels.self)
    return firstMissing([
      ((1...1024).contains(kernels.pointee.panel_width), "panel_width from 1 to 1024"),
      ((1...1024).contains(kernels.pointee.tile_rows), "tile_rows from 1 to 1024"),
      (kernels.pointee.storages & 1 != 0, "CLIP_STORAGE_F32 among the storages"),
    ])
  }

  static func runsHere(_ kernels: clip_kernels) -> Bool { kernels.features & ~csystem_cpu_features() == 0 }

  /// The set that `wanted` names (its id or the part after "kernels."), or the highest in rank
  /// that this processor runs.
  static func choose(_ registry: PluginRegistry, wanted: Name?) throws(ClipError) -> PluginRegistry.Item {
    var best: (item: PluginRegistry.Item, rank: UInt32)?
    for item in registry.items where item.kind == CLIP_KIND_KERNELS {
      let kernels = item.table.assumingMemoryBound(to: clip_kernels.self).pointee
      if let wanted {
        let id = Name(cString: item.id)
        guard id == wanted || id.hasSuffix(".kernels." + wanted) else { continue }
        guard runsHere(kernels) else {
          throw ClipError(CLIP_UNSUPPORTED, "kernels: this processor cannot run " + id.string)
        }
        return item
      }
      if runsHere(kernels), kernels.rank > (best?.rank ?? 0) { best = (item, kernels.rank) }
    }
    guard let best else {
      let what = wanted.map { "\"" + $0.string + "\"" } ?? "a set for this processor"
      throw ClipError(CLIP_NOT_FOUND, "kernels: expected " + what + ", found " + registry.ids(CLIP_KIND_KERNELS))
    }
    return best.item
  }
}
