import CClip
import ClipKernels

/// Tiles of 6 x 8: 12 of the 16 registers hold sums. Without FMA a product needs one more.
typealias Kernels = KernelSet<SixRows<SIMD4<Float>>>

enum InstructionSet {
  static var pluginID: StaticString { "clipcore.kernels-x86-64" }
  static var id: StaticString { "clipcore.kernels.x86-64" }
  static var description: StaticString { "SSE2: any x86-64" }
  static var features: Int { 0 }
  static var rank: UInt32 { 10 }
}
