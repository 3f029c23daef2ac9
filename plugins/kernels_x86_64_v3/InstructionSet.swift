import CClip
import ClipKernels

/// Tiles of 6 x 16: 12 of the 16 registers hold sums.
typealias Kernels = KernelSet<SixRows<SIMD8<Float>>>

enum InstructionSet {
  static var pluginID: StaticString { "clipcore.kernels-x86-64-v3" }
  static var id: StaticString { "clipcore.kernels.x86-64-v3" }
  static var description: StaticString { "AVX2, FMA and F16C" }
  static var features: Int { CLIP_CPU_AVX2 | CLIP_CPU_FMA | CLIP_CPU_F16C }
  static var rank: UInt32 { 30 }
}
