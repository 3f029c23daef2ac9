import CClip
import ClipKernels

/// Tiles of 12 x 32: 24 of the 32 registers hold sums.
typealias Kernels = KernelSet<TwelveRows<SIMD16<Float>>>

enum InstructionSet {
  static var pluginID: StaticString { "clipcore.kernels-x86-64-v4-bf16" }
  static var id: StaticString { "clipcore.kernels.x86-64-v4-bf16" }
  static var description: StaticString { "AVX-512 with VNNI and BF16" }
  static var features: Int {
    CLIP_CPU_AVX2 | CLIP_CPU_FMA | CLIP_CPU_F16C | CLIP_CPU_AVX512 | CLIP_CPU_AVX512_VNNI
      | CLIP_CPU_AVX512_BF16
  }
  static var rank: UInt32 { 60 }
}
