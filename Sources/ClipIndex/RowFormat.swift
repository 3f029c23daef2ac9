import CClip
import CSystem

/// How the rows of a segment lie in its blob, which begins with what searches hold in memory:
///
///     CLIP_STORAGE_F32, _F16   exact rows
///     CLIP_STORAGE_INT8        scales (float32) | rows of bytes | exact rows (F16)
///
/// Rows are padded with zeros to a multiple of 64 elements. All numbers are little-endian.
struct RowFormat {
  /// Rows of a segment.
  static var count: Int { 1024 }

  let storage: clip_storage
  let width: Int

  var paddedWidth: Int { (width + 63) & ~63 }
  var hasBytes: Bool { storage == CLIP_STORAGE_INT8 }
  private var exactElement: Int { storage == CLIP_STORAGE_F32 ? 4 : 2 }
  var exactBytes: Int { paddedWidth * exactElement }
  /// Bytes of a row in memory, without its scale.
  var loadedRowBytes: Int { hasBytes ? paddedWidth : exactBytes }

  /// Offsets of the parts of a segment's blob.
  var loadedRows: Int { hasBytes ? 4 * RowFormat.count : 0 }
  var exactRows: Int { hasBytes ? loadedRows + RowFormat.count * paddedWidth : 0 }
  /// Bytes of a segment in memory, and of all of it.
  var loadedBytes: Int { loadedRows + RowFormat.count * loadedRowBytes }
  var segmentBytes: Int { exactRows + RowFormat.count * exactBytes }

  /// A row of unit length in the forms that a segment has of it.
  struct Row {
    let exact: Memory
    /// The row in memory, if its form differs.
    let bytes: Memory?
    let scale: Float
  }

  /// `embedding` scaled to unit length. `place` names it in the error.
  func row(_ embedding: UnsafePointer<Float>, _ place: Int) throws(ClipError) -> Row {
    let length = try RowFormat.length(embedding, width, "embeddings: row \(place)")
    let exact = try Memory(byteCount: exactBytes, for: "a row of an index")
    memset(exact.base, 0, exactBytes)
    for i in 0..<width {
      let value = Float(Double(embedding[i]) / length)
      if storage == CLIP_STORAGE_F32 {
        exact.base.storeBytes(of: value, toByteOffset: 4 * i, as: Float.self)
      } else {
        exact.base.storeBytes(of: Half.narrow(value), toByteOffset: 2 * i, as: UInt16.self)
      }
    }
    guard hasBytes else { return Row(exact: exact, bytes: nil, scale: 1) }
    let bytes = try Memory(byteCount: paddedWidth, for: "a row of an index")
    memset(bytes.base, 0, paddedWidth)
    var largest: Float = 0
    for i in 0..<width { largest = max(largest, self.value(exact.base, i).magnitude) }
    let scale = largest / 127
    for i in 0..<width {
      let byte = Int8((value(exact.base, i) / scale).rounded(.toNearestOrEven))
      bytes.base.storeBytes(of: byte, toByteOffset: i, as: Int8.self)
    }
    return Row(exact: exact, bytes: bytes, scale: scale)
  }

  /// Element `i` of an exact row.
  @inline(__always)
  func value(_ row: UnsafeRawPointer, _ i: Int) -> Float {
    storage == CLIP_STORAGE_F32
      ? row.load(fromByteOffset: 4 * i, as: Float.self)
      : Half.widen(row.load(fromByteOffset: 2 * i, as: UInt16.self))
  }

  /// Loaded rows as queries: 16-bit integers of bytes, floats of other elements.
  func widen(_ rows: UnsafeRawPointer, _ count: Int, to queries: UnsafeMutableRawPointer) {
    let elements = count * paddedWidth
    if storage == CLIP_STORAGE_F32 {
      queries.copyMemory(from: rows, byteCount: 4 * elements)
    } else if hasBytes {
      for i in stride(from: 0, to: elements, by: 16) {
        let bytes = (rows + i).loadUnaligned(as: SIMD16<Int8>.self)
        queries.storeBytes(
          of: SIMD16<Int16>(truncatingIfNeeded: bytes), toByteOffset: 2 * i, as: SIMD16<Int16>.self)
      }
    } else {
      for i in stride(from: 0, to: elements, by: 8) {
        // As Half.widen, for finite numbers.
        let halves = SIMD8<UInt32>(truncatingIfNeeded: (rows + 2 * i).loadUnaligned(as: SIMD8<UInt16>.self))
        let scaled = unsafeBitCast((halves & 0x7fff) &<< 13, to: SIMD8<Float>.self) * 0x1p112
        let bits = unsafeBitCast(scaled, to: SIMD8<UInt32>.self) | (halves & 0x8000) &<< 16
        queries.storeBytes(of: bits, toByteOffset: 4 * i, as: SIMD8<UInt32>.self)
      }
    }
  }

  /// The Euclidean length, which is a finite number above 0.
  static func length(_ vector: UnsafePointer<Float>, _ width: Int, _ what: @autoclosure () -> String)
    throws(ClipError) -> Double
  {
    var squares = 0.0
    for i in 0..<width { squares += Double(vector[i]) * Double(vector[i]) }
    guard squares > 0, squares.isFinite else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        what() + ": expected numbers that are not all 0, found " + (squares == 0 ? "zeros" : "NaN or infinity"))
    }
    return squares.squareRoot()
  }
}

/// A query as the kernels read it, for rows of one format.
struct Query {
  let elements: Memory
  let scale: Float
  /// The query, [width], of unit length, for rows that are scored exactly.
  let unit: Memory

  init(_ query: UnsafePointer<Float>, _ format: RowFormat) throws(ClipError) {
    let length = try RowFormat.length(query, format.width, "query")
    let padded = format.paddedWidth
    let unit = try Memory(floats: padded, for: "a query")
    memset(unit.base, 0, 4 * padded)
    for i in 0..<format.width { unit.floats[i] = Float(Double(query[i]) / length) }
    self.unit = unit
    guard format.hasBytes else {
      elements = unit
      scale = 1
      return
    }
    let elements = try Memory(byteCount: 2 * padded, for: "a query")
    memset(elements.base, 0, 2 * padded)
    scale = Query.narrow(unit.floats, format, to: elements.base)
    self.elements = elements
  }

  /// `vector` [width] as 16-bit integers, as small as clip_score_rows asks for. Returns their scale.
  static func narrow(_ vector: UnsafePointer<Float>, _ format: RowFormat, to integers: UnsafeMutableRawPointer) -> Float
  {
    var largest = Float.leastNormalMagnitude
    for i in 0..<format.width { largest = max(largest, vector[i].magnitude) }
    let scale = largest / min(32767, Float(Int32.max) / (127 * Float(format.paddedWidth / 4)))
    for i in 0..<format.width {
      let value = Int16((vector[i] / scale).rounded(.towardZero))
      integers.storeBytes(of: value, toByteOffset: 2 * i, as: Int16.self)
    }
    return scale
  }

  /// The score of an exact row.
  func score(_ row: UnsafeRawPointer, _ format: RowFormat) -> Float {
    var sum = 0.0
    for i in 0..<format.width { sum += Double(format.value(row, i)) * Double(unit.floats[i]) }
    return Float(sum)
  }
}
