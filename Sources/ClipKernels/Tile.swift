import CClip
import CSystem

/// What happens to sums in memory: replaced (`start`); continued from them (`resume`); or the new ones, summed from 0,
/// are added to them (`add`), which is more exact for long sums.
@frozen public enum SumMode { case start, resume, add }

/// What a tile prefetches while it multiplies.
@frozen public struct Ahead {
  @usableFromInline var next: UnsafeRawPointer
  /// Bytes to prefetch in each step.
  @usableFromInline var step: Int

  @_alwaysEmitIntoClient @inline(__always)
  init(_ next: UnsafeRawPointer, step: Int) {
    self.next = next
    self.step = step
  }
}

/// The sums of a few rows of C over one panel, held in registers. Taller tiles are composed from `OneRow`, one row at a
/// time, so that each height is a type whose sums the compiler keeps in registers. The order of a row's sums is the
/// same in every height.
public protocol Tile {
  associatedtype Vector: FloatVector
  static var height: Int { get }

  /// Sums of a block of depth, which begins at `panel`; `rows` is as for `finish`.
  init<Weights: WeightStorage>(_ weights: Weights.Type, _ rows: UnsafePointer<Float>, _ panel: UnsafeRawPointer)
  /// Starts with sums that `store` wrote.
  init(resuming sums: UnsafePointer<Float>, stride: Int)
  func store(_ sums: UnsafeMutablePointer<Float>, stride: Int)
  func add(to sums: UnsafeMutablePointer<Float>, stride: Int)
  /// Adds one step of A in each row, rows `tileStride` apart, times one step of the panel, which is at `row`.
  mutating func add<Weights: WeightStorage>(_ weights: Weights.Type, _ a: UnsafePointer<Float>, _ row: UnsafeRawPointer)
  /// Converts the sums to floats. `rows` is the copy of A, with rows `tileStride` apart.
  mutating func finish<Weights: WeightStorage>(_ weights: Weights.Type, _ rows: UnsafePointer<Float>)

  /// `multiply` of the tile that is `rows` high, at most this tile's height.
  static func multiply<Weights: WeightStorage>(
    _ weights: Weights.Type, rows: Int, _ a: UnsafePointer<Float>, _ panel: UnsafeRawPointer, steps: Int,
    _ ahead: Ahead, _ sums: UnsafeMutablePointer<Float>, stride: Int, _ mode: SumMode)
}

/// The most floats of A in a block of depth, so that a tile's rows of A stay in the L1 cache.
@_alwaysEmitIntoClient @inline(__always)
var depthBlock: Int { 256 }

/// Floats between the rows of a tile's copy of A: more than `depthBlock`, and not near a power of two, so that rows do
/// not share a cache set.
@_alwaysEmitIntoClient @inline(__always)
var tileStride: Int { 272 }

public struct OneRow<Vector: FloatVector>: Tile {
  @usableFromInline var low: Vector
  @usableFromInline var high: Vector

  @_alwaysEmitIntoClient @inline(__always)
  public static var height: Int { 1 }

  @_alwaysEmitIntoClient @inline(__always)
  public init<Weights: WeightStorage>(
    _ weights: Weights.Type, _ rows: UnsafePointer<Float>, _ panel: UnsafeRawPointer
  ) {
    low = Weights.start(rows, panel)
    high = Weights.start(rows, panel + Vector.count * Weights.bytes)
  }

  @_alwaysEmitIntoClient @inline(__always)
  public init(resuming sums: UnsafePointer<Float>, stride: Int) {
    low = Vector.load(sums)
    high = Vector.load(sums + Vector.count)
  }

  @_alwaysEmitIntoClient @inline(__always)
  public func store(_ sums: UnsafeMutablePointer<Float>, stride: Int) {
    low.store(sums)
    high.store(sums + Vector.count)
  }

  @_alwaysEmitIntoClient @inline(__always)
  public func add(to sums: UnsafeMutablePointer<Float>, stride: Int) {
    (Vector.load(sums) + low).store(sums)
    (Vector.load(sums + Vector.count) + high).store(sums + Vector.count)
  }

  @_alwaysEmitIntoClient @inline(__always)
  public mutating func add<Weights: WeightStorage>(
    _ weights: Weights.Type, _ a: UnsafePointer<Float>, _ row: UnsafeRawPointer
  ) {
    low = Weights.add(low, a, times: row)
    high = Weights.add(high, a, times: row + Vector.count * Weights.bytes)
  }

  @_alwaysEmitIntoClient @inline(__always)
  public mutating func finish<Weights: WeightStorage>(_ weights: Weights.Type, _ rows: UnsafePointer<Float>) {
    low = Weights.finish(low, rows)
    high = Weights.finish(high, rows)
  }

  @_alwaysEmitIntoClient @inline(__always)
  public static func multiply<Weights: WeightStorage>(
    _ weights: Weights.Type, rows: Int, _ a: UnsafePointer<Float>, _ panel: UnsafeRawPointer, steps: Int,
    _ ahead: Ahead, _ sums: UnsafeMutablePointer<Float>, stride: Int, _ mode: SumMode
  ) {
    multiply(weights, a, panel, steps: steps, ahead, sums, stride: stride, mode)
  }
}

/// `Upper` and one more row.
public struct Taller<Upper: Tile>: Tile {
  public typealias Vector = Upper.Vector
  @usableFromInline var upper: Upper
  @usableFromInline var last: OneRow<Upper.Vector>

  @_alwaysEmitIntoClient @inline(__always)
  public static var height: Int { Upper.height + 1 }

  @_alwaysEmitIntoClient @inline(__always)
  public init<Weights: WeightStorage>(
    _ weights: Weights.Type, _ rows: UnsafePointer<Float>, _ panel: UnsafeRawPointer
  ) {
    upper = Upper(weights, rows, panel)
    last = OneRow(weights, rows + Upper.height * tileStride, panel)
  }

  @_alwaysEmitIntoClient @inline(__always)
  public init(resuming sums: UnsafePointer<Float>, stride: Int) {
    upper = Upper(resuming: sums, stride: stride)
    last = OneRow(resuming: sums + Upper.height * stride, stride: stride)
  }

  @_alwaysEmitIntoClient @inline(__always)
  public func store(_ sums: UnsafeMutablePointer<Float>, stride: Int) {
    upper.store(sums, stride: stride)
    last.store(sums + Upper.height * stride, stride: stride)
  }

  @_alwaysEmitIntoClient @inline(__always)
  public func add(to sums: UnsafeMutablePointer<Float>, stride: Int) {
    upper.add(to: sums, stride: stride)
    last.add(to: sums + Upper.height * stride, stride: stride)
  }

  @_alwaysEmitIntoClient @inline(__always)
  public mutating func add<Weights: WeightStorage>(
    _ weights: Weights.Type, _ a: UnsafePointer<Float>, _ row: UnsafeRawPointer
  ) {
    upper.add(weights, a, row)
    last.add(weights, a + Upper.height * tileStride, row)
  }

  @_alwaysEmitIntoClient @inline(__always)
  public mutating func finish<Weights: WeightStorage>(_ weights: Weights.Type, _ rows: UnsafePointer<Float>) {
    upper.finish(weights, rows)
    last.finish(weights, rows + Upper.height * tileStride)
  }

  @_alwaysEmitIntoClient @inline(__always)
  public static func multiply<Weights: WeightStorage>(
    _ weights: Weights.Type, rows: Int, _ a: UnsafePointer<Float>, _ panel: UnsafeRawPointer, steps: Int,
    _ ahead: Ahead, _ sums: UnsafeMutablePointer<Float>, stride: Int, _ mode: SumMode
  ) {
    if rows >= height {
      multiply(weights, a, panel, steps: steps, ahead, sums, stride: stride, mode)
    } else {
      Upper.multiply(weights, rows: rows, a, panel, steps: steps, ahead, sums, stride: stride, mode)
    }
  }
}

public typealias FourRows<Vector: FloatVector> = Taller<Taller<Taller<OneRow<Vector>>>>
public typealias SixRows<Vector: FloatVector> = Taller<Taller<FourRows<Vector>>>
public typealias TwelveRows<Vector: FloatVector> = Taller<Taller<Taller<Taller<Taller<Taller<SixRows<Vector>>>>>>>

extension Tile {
  @_alwaysEmitIntoClient @inline(__always)
  static var panelWidth: Int { 2 * Vector.count }

  /// A[height, steps] panel[steps, panelWidth] into sums[height, panelWidth].
  @_alwaysEmitIntoClient @inline(never)
  static func multiply<Weights: WeightStorage>(
    _ weights: Weights.Type, _ a: UnsafePointer<Float>, _ panel: UnsafeRawPointer, steps: Int,
    _ ahead: Ahead, _ sums: UnsafeMutablePointer<Float>, stride: Int, _ mode: SumMode
  ) {
    let rowBytes = panelWidth * Weights.bytes
    var tile = mode == .resume ? Self(resuming: sums, stride: stride) : Self(weights, a + depthBlock, panel)
    var row = panel + Weights.headerSteps * rowBytes
    var next = ahead.next
    for k in 0..<steps {
      csystem_prefetch(next)
      // A step of bytes is several cache lines.
      if rowBytes > 128 { for line in 1..<rowBytes / 64 { csystem_prefetch(next + 64 * line) } }
      next += ahead.step
      tile.add(weights, a + k * Weights.stepFloats, row)
      row += rowBytes
    }
    tile.finish(weights, a + depthBlock)
    if mode == .add {
      tile.add(to: sums, stride: stride)
    } else {
      tile.store(sums, stride: stride)
    }
  }
}
