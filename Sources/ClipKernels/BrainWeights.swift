import CClip
import CSystem

/// Weights as bfloat16. Where the processor multiplies pairs of them, rows of A are rounded to bfloat16 too, and a step
/// has two numbers; elsewhere the weights are widened.
public enum BrainWeights: WeightStorage {
  @_alwaysEmitIntoClient @inline(__always)
  public static var stepDepth: Int { csystem_multiplies_brain() ? 2 : 1 }
  @_alwaysEmitIntoClient @inline(__always)
  public static var bytes: Int { 2 * stepDepth }
  @_alwaysEmitIntoClient @inline(__always)
  public static var columnBytes: Int { 0 }
  @_alwaysEmitIntoClient @inline(__always)
  public static var blockRows: Int { 72 }
  @_alwaysEmitIntoClient @inline(__always)
  public static var groupColumns: Int { 256 }

  @_alwaysEmitIntoClient @inline(never)
  public static func copyRow<Vector: FloatVector>(
    _ vector: Vector.Type, _ row: UnsafePointer<Float>, depth: Int, to copy: UnsafeMutablePointer<Float>
  ) {
    if !csystem_multiplies_brain() {
      memcpy(copy, row, 4 * depth)
      return
    }
    let numbers = UnsafeMutableRawPointer(copy)
    var i = 0
    while i < (depth + 1) & ~1 {
      Vector.load(row + i, lanes: max(0, depth - i)).storeBrain(numbers + 2 * i)
      i += Vector.count
    }
  }

  @_alwaysEmitIntoClient @inline(__always)
  public static func add<Vector: FloatVector>(
    _ sum: Vector, _ a: UnsafePointer<Float>, times weights: UnsafeRawPointer
  ) -> Vector {
    csystem_multiplies_brain()
      ? sum.addingBrainPairs(Vector(repeating: a.pointee), times: weights)
      : sum.adding(Vector(repeating: a.pointee), times: Vector.loadBrain(weights))
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func finish<Vector: FloatVector>(_ sum: Vector, _ row: UnsafePointer<Float>) -> Vector { sum }
}

extension KernelSet {
  /// Panel[steps, panelWidth, stepDepth]; the second number of a last step may be 0.
  @_alwaysEmitIntoClient @inline(never)
  static func packBrain(
    _ weights: UnsafePointer<Float>, _ stride: Int, _ rows: Int, _ depth: Int, _ panel: UnsafeMutableRawPointer
  ) {
    memset(panel, 0, panelBytes(depth: depth, BrainWeights.self))
    let numbers = panel.assumingMemoryBound(to: UInt16.self)
    let step = BrainWeights.stepDepth
    for column in 0..<rows {
      let row = weights + column * stride
      for k in 0..<depth { numbers[(k / step * panelWidth + column) * step + k % step] = brain(row[k]) }
    }
  }
}
