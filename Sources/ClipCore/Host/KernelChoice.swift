import CClip
import CSystem
import ClipKernels

/// Chooses the kernel set.
enum KernelChoice {
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
