import CClip
import CSystem

/// INT8 weights with a scale for each column. Rows become unsigned bytes with a scale and a zero for each block of
/// depth: an element is (byte - zero) * scale. Elements far above the mean magnitude of their row, which CLIP's norms
/// make in a few columns, are kept as floats beside the bytes, since they would make the scale of all others coarse
/// (Dettmers et al., LLM.int8(), 2022, https://arxiv.org/abs/2208.07339). The rounding of a row depends on its own
/// elements only.
///
/// A step is two quads: four elements of depth, whose products are summed in a lane of 32 bits. A block of a panel
/// begins with the sums of its columns' bytes, which correct for the zero: the sum of (byte - zero) * weight is
/// computed in integers and is exact.
public enum ByteRows: WeightStorage {
  @_alwaysEmitIntoClient @inline(__always)
  public static var bytes: Int { 8 }
  @_alwaysEmitIntoClient @inline(__always)
  public static var stepDepth: Int { 8 }
  @_alwaysEmitIntoClient @inline(__always)
  public static var stepFloats: Int { 2 }
  @_alwaysEmitIntoClient @inline(__always)
  public static var blockFloats: Int { 128 }
  @_alwaysEmitIntoClient @inline(__always)
  public static var headerSteps: Int { 1 }
  @_alwaysEmitIntoClient @inline(__always)
  public static var columnBytes: Int { 4 }
  @_alwaysEmitIntoClient @inline(__always)
  public static var blockRows: Int { 48 }
  @_alwaysEmitIntoClient @inline(__always)
  public static var groupColumns: Int { 384 }
  @_alwaysEmitIntoClient @inline(__always)
  public static var keepsOutliers: Bool { true }

  /// The most outliers of a block. Their places and values follow its bytes.
  @_alwaysEmitIntoClient @inline(__always)
  static var mostOutliers: Int { 32 }
  /// A number is an outlier beyond this many times the mean magnitude of its block.
  @_alwaysEmitIntoClient @inline(__always)
  static var outlierLimit: Float { 10 }

  /// Behind `depthBlock` floats: the scale, the zero below 0 and the number of outliers.
  @_alwaysEmitIntoClient @inline(never)
  public static func copyRow<Vector: FloatVector>(
    _ vector: Vector.Type, _ row: UnsafePointer<Float>, depth: Int, to copy: UnsafeMutablePointer<Float>
  ) {
    let n = Vector.count
    let integers = UnsafeMutableRawPointer(copy + depthBlock + 1).assumingMemoryBound(to: Int32.self)
    integers[0] = 0
    integers[1] = 0
    var magnitudes = Vector(repeating: 0)
    var i = 0
    while i < depth {
      magnitudes = magnitudes + Vector.load(row + i, lanes: depth - i).magnitude
      i += n
    }
    let largest = largestMagnitude(vector, row, depth)
    var limit = outlierLimit * magnitudes.sum / Float(depth)
    // Also where the sum of magnitudes overflows.
    guard largest >= 0x1p-100, largest < .infinity else {
      copy[depthBlock] = largest < 0x1p-100 ? 0 : .nan
      memset(copy, 0, 4 * blockFloats)
      return
    }
    var low = Vector(repeating: 0)
    var high = low
    if largest > limit {
      while !putOutliers(vector, row, depth: depth, beyond: limit, to: copy) { limit *= 2 }
    } else {
      limit = largest
    }
    i = 0
    while i < depth {
      let value = Vector.load(row + i, lanes: depth - i)
      let kept = value.replacing(with: Vector(repeating: 0), where: Vector(repeating: limit), isBelow: value.magnitude)
      low = low.replacing(with: kept, where: kept, isBelow: low)
      high = kept.larger(high)
      i += n
    }
    let least = -(Vector(repeating: 0) - low).largest
    // Both ends and the zero are rounded, so two of a byte's values are spare.
    let steps = Float(csystem_byte_row_steps())
    let range = high.largest / steps - least / steps
    // A subnormal number has no finite inverse.
    let scale: Float = range >= 0x1p-126 ? range : 0
    let inverse = scale > 0 ? 1 / scale : 0
    let zero = (-least * inverse).rounded(.toNearestOrEven) + 1 + csystem_least_row_byte()
    copy[depthBlock] = scale
    integers[0] = -Int32(zero)
    let shift = Vector(repeating: 12_582_912 + zero)
    let factor = Vector(repeating: inverse)
    let bytes = UnsafeMutableRawPointer(copy)
    i = 0
    while i < (depth + stepDepth - 1) & ~(stepDepth - 1) {
      let value = Vector.load(row + i, lanes: max(0, depth - i))
      shift.adding(value, times: factor).storeLow8(bytes + i)
      i += n
    }
    let places = UnsafeMutableRawPointer(copy + blockFloats).assumingMemoryBound(to: Int32.self)
    for index in 0..<Int(integers[1]) {
      bytes.storeBytes(of: UInt8(truncatingIfNeeded: -integers[0]), toByteOffset: Int(places[index]), as: UInt8.self)
    }
  }

  /// The places, then the values of the elements beyond `limit`; false if there are too many.
  @_alwaysEmitIntoClient @inline(__always)
  static func putOutliers<Vector: FloatVector>(
    _ vector: Vector.Type, _ row: UnsafePointer<Float>, depth: Int, beyond limit: Float,
    to copy: UnsafeMutablePointer<Float>
  ) -> Bool {
    let places = UnsafeMutableRawPointer(copy + blockFloats).assumingMemoryBound(to: Int32.self)
    let values = copy + blockFloats + mostOutliers
    var count = 0
    var i = 0
    while i < depth {
      var lanes = Vector.load(row + i, lanes: depth - i).lanesBeyond(limit)
      while lanes != 0 {
        if count == mostOutliers { return false }
        let place = i + lanes.trailingZeroBitCount
        places[count] = Int32(truncatingIfNeeded: place)
        values[count] = row[place]
        count += 1
        lanes &= lanes &- 1
      }
      i += Vector.count
    }
    UnsafeMutableRawPointer(copy + depthBlock + 2).storeBytes(of: Int32(truncatingIfNeeded: count), as: Int32.self)
    return true
  }

  @_alwaysEmitIntoClient @inline(__always)
  public static func start<Vector: FloatVector>(_ row: UnsafePointer<Float>, _ header: UnsafeRawPointer) -> Vector {
    Vector.integers(header, times: row[1])
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func add<Vector: FloatVector>(
    _ sum: Vector, _ a: UnsafePointer<Float>, times weights: UnsafeRawPointer
  ) -> Vector {
    sum.addingQuads(a, times: weights)
  }
  @_alwaysEmitIntoClient @inline(__always)
  public static func finish<Vector: FloatVector>(_ sum: Vector, _ row: UnsafePointer<Float>) -> Vector {
    sum.fromIntegers * Vector(repeating: row.pointee)
  }

  @_alwaysEmitIntoClient @inline(__always)
  public static func addOutliers<Vector: FloatVector>(
    _ vector: Vector.Type, _ row: UnsafePointer<Float>, _ panel: UnsafeRawPointer,
    to sums: UnsafeMutablePointer<Float>
  ) {
    let places = UnsafeRawPointer(row + blockFloats).assumingMemoryBound(to: Int32.self)
    let values = row + blockFloats + mostOutliers
    var low = Vector.load(sums)
    var high = Vector.load(sums + Vector.count)
    for index in 0..<outliers(row) {
      let place = Int(places[index])
      let quads = panel + (headerSteps + place / 8) * 2 * Vector.count * bytes + place % 8 / 4 * Vector.count * 4
      let value = Vector(repeating: values[index])
      low = low.adding(value, times: Vector.byte(place % 4, ofQuads: quads))
      high = high.adding(value, times: Vector.byte(place % 4, ofQuads: quads + Vector.count * bytes))
    }
    low.store(sums)
    high.store(sums + Vector.count)
  }

  @_alwaysEmitIntoClient @inline(__always)
  public static func outliers(_ row: UnsafePointer<Float>) -> Int {
    Int(UnsafeRawPointer(row + depthBlock + 2).load(as: Int32.self))
  }
}

extension KernelSet {
  /// For each block of depth a header and its steps; then the columns' scales.
  @_alwaysEmitIntoClient @inline(never)
  static func packByteRows(
    _ weights: UnsafePointer<Float>, _ stride: Int, _ rows: Int, _ depth: Int, _ panel: UnsafeMutableRawPointer
  ) {
    memset(panel, 0, panelBytes(depth: depth, ByteRows.self))
    let rowBytes = panelWidth * ByteRows.bytes
    let scales = (panel + ByteRows.panelSteps(depth) * rowBytes).assumingMemoryBound(to: Float.self)
    let steps = ByteRows.steps(depth)
    let blocks = ByteRows.depthBlocks(depth)
    for column in 0..<rows {
      let row = weights + column * stride
      let place = column / Vector.count * Vector.count * ByteRows.bytes + column % Vector.count * 4
      let largest = max(
        largestMagnitude(Vector.self, row, depth),
        csystem_byte_sum_limit() == 0 ? 0 : largestSum(row, depth) * (ByteWeights.largest / csystem_byte_sum_limit()))
      let quantiser = Quantiser(largest: largest, steps: ByteWeights.largest)
      scales[column] = quantiser.scale
      for block in 0..<blocks {
        let begin = steps * block / blocks
        let end = steps * (block + 1) / blocks
        let header = panel + (begin + block) * rowBytes
        var sum: Int32 = 0
        for k in begin * 8..<min(depth, end * 8) {
          let byte = Int8(truncatingIfNeeded: quantiser.round(row[k]))
          sum &+= Int32(byte)
          let step = header + (1 + k / 8 - begin) * rowBytes + place + k % 8 / 4 * Vector.count * 4
          step.storeBytes(of: byte, toByteOffset: k % 4, as: Int8.self)
        }
        (header + place).storeBytes(of: sum, as: Int32.self)
      }
    }
  }

  /// The largest sum of magnitudes of weights whose products add up in 16 bits: of a step the first or last two of both
  /// quads. Not finite where a weight is not.
  @_alwaysEmitIntoClient @inline(__always)
  static func largestSum(_ row: UnsafePointer<Float>, _ depth: Int) -> Float {
    var largest: Float = 0
    var k = 0
    while k < depth {
      var first: Float = 0
      var last: Float = 0
      for i in 0..<min(8, depth - k) {
        if i & 2 == 0 { first += row[k + i].magnitude } else { last += row[k + i].magnitude }
      }
      if !(first <= largest) { largest = first }
      if !(last <= largest) { largest = last }
      k += 8
    }
    return largest
  }
}
