import CClip
import CSystem
import ClipKernels
import ClipPluginKit

// The plugin of every instruction set. Each folder kernels_* has a link to this file, and its own `Kernels` and
// `InstructionSet`. The table is not generic because a C function pointer cannot be made from a generic function.

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: InstructionSet.pluginID, version: "0.1.0", license: "Apache-2.0") { table in
    table.add(
      clip_kernels(
        struct_size: UInt32(MemoryLayout<clip_kernels>.size),
        features: UInt32(InstructionSet.features),
        id: InstructionSet.id.cString,
        description: InstructionSet.description.cString,
        rank: InstructionSet.rank, panel_width: UInt32(Kernels.panelWidth), tile_rows: UInt32(Kernels.tileRows),
        storages: 1 << CLIP_STORAGE_F32.rawValue | 1 << CLIP_STORAGE_F16.rawValue | 1 << CLIP_STORAGE_BF16.rawValue
          | 1 << CLIP_STORAGE_INT8.rawValue | 1 << CLIP_STORAGE_INT8_FAST.rawValue,
        panel_bytes: { Kernels.panelBytes($0, $1) },
        pack_panel: { Kernels.packPanel($0, $1, $2, $3, $4, $5) },
        packed_rows: { Kernels.packedRows($0, $1, $2) },
        pack_rows: { Kernels.packRows($0, $1, $2, $3, $4, $5, $6, $7) },
        matmul: { csystem_with_stack($0) { Kernels.matmul($0, $1) } },
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
