import CClip
import ClipKernels

/// Tiles of 12 x 8: 24 of the 32 registers hold sums.
typealias Kernels = KernelSet<TwelveRows<SIMD4<Float>>>

enum InstructionSet {
  static var pluginID: StaticString { "clipcore.kernels-arm64" }
  static var id: StaticString { "clipcore.kernels.arm64" }
  static var description: StaticString { "NEON: any arm64" }
  static var features: Int { 0 }
  static var rank: UInt32 { 10 }
}
