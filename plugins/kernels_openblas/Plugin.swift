import CClip
import COpenBLAS
import CSystem
import ClipKernels
import ClipPluginKit

/// Products by OpenBLAS, which divides them among its own threads as the host has set it; all else by vectors of four
/// floats. The same row may have other bits in another batch or on other threads: OpenBLAS sums in an order of its own.
@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.kernels-openblas", version: "0.1.0", license: "Apache-2.0") { table in
    table.add(
      clip_kernels(
        struct_size: UInt32(MemoryLayout<clip_kernels>.size),
        features: 0,
        id: ("clipcore.kernels.openblas" as StaticString).cString,
        description: ("OpenBLAS; results depend on the batch and its threads" as StaticString).cString,
        rank: 2, panel_width: UInt32(Products.panelWidth), tile_rows: 1,
        storages: 1 << CLIP_STORAGE_F32.rawValue,
        panel_bytes: { depth, _ in Products.panelBytes(depth) },
        pack_panel: { weights, stride, rows, depth, _, panel in
          Products.packPanel(weights, stride, rows, depth, panel)
        },
        packed_rows: { Kernels.packedRows($0, $1, $2) },
        pack_rows: { Kernels.packRows($0, $1, $2, $3, $4, $5, $6, $7) },
        matmul: { csystem_with_stack($0) { Products.multiply($0, $1) } },
        attention_scratch: { Kernels.attentionScratch($0, $1) },
        attention: { Kernels.attention($0) },
        layer_norm: { Kernels.layerNorm($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        scale_shift: { Kernels.scaleShift($0, $1, $2, $3, $4, $5, $6, $7, $8) },
        add: { Kernels.add($0, $1, $2, $3, $4, $5, $6, $7) },
        normalize: { Kernels.normalize($0, $1, $2, $3) },
        winograd_input: { Kernels.winogradInput($0) },
        winograd_output: { Kernels.winogradOutput($0) },
        resample_horizontal: { Kernels.resampleHorizontal($0, $1, $2, $3, $4) },
        resample_vertical: { Kernels.resampleVertical($0, $1, $2, $3) },
        score_rows: { Kernels.scoreRows($0) }))
  }
}

/// A tile is one row, so that rows lie the same distance apart.
typealias Kernels = KernelSet<OneRow<SIMD4<Float>>>
