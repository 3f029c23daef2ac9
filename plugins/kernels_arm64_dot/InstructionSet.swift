import CClip
import ClipKernels

/// Tiles of 12 x 8: 24 of the 32 registers hold sums.
typealias Kernels = KernelSet<TwelveRows<SIMD4<Float>>>

enum InstructionSet {
  static var pluginID: StaticString { "clipcore.kernels-arm64-dot" }
  static var id: StaticString { "clipcore.kernels.arm64-dot" }
  static var description: StaticString { "NEON with dot products" }
  static var features: Int { CLIP_CPU_ARM_DOT }
  static var rank: UInt32 { 20 }
}
