import CClip
import ClipKernels

/// Tiles of 12 x 32: 24 of the 32 registers hold sums.
typealias Kernels = KernelSet<TwelveRows<SIMD16<Float>>>

enum InstructionSet {
  static var pluginID: StaticString { "clipcore.kernels-x86-64-v4-vnni" }
  static var id: StaticString { "clipcore.kernels.x86-64-v4-vnni" }
  static var description: StaticString { "AVX-512 with VNNI" }
  static var features: Int {
    CLIP_CPU_AVX2 | CLIP_CPU_FMA | CLIP_CPU_F16C | CLIP_CPU_AVX512 | CLIP_CPU_AVX512_VNNI
  }
  static var rank: UInt32 { 50 }
}
