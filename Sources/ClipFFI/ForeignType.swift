import CClip
import ClipBase

/// A C type of an argument or a result, with its name in manifests and signatures.
package enum ForeignType: Int, CaseIterable {
  case void, int8, uint8, int16, uint16, int32, uint32, int64, uint64, float, double, pointer

  /// The names of types on this platform (LP64).
  private static var words: [(word: Name, type: ForeignType)] {
    [
      ("void", .void), ("int8", .int8), ("uint8", .uint8), ("int16", .int16), ("uint16", .uint16), ("int32", .int32),
      ("uint32", .uint32), ("int64", .int64), ("uint64", .uint64), ("int", .int32), ("uint", .uint32), ("long", .int64),
      ("ulong", .uint64), ("size_t", .uint64), ("float", .float), ("double", .double), ("pointer", .pointer),
    ]
  }

  package init?(_ word: Name) {
    for known in ForeignType.words where known.word == word {
      self = known.type
      return
    }
    return nil
  }

  /// All names, for messages.
  package static var list: String {
    var text = ""
    for known in words { text += (text.isEmpty ? "" : ", ") + known.word.string }
    return text
  }

  /// The integers that the type can hold; nil for other types. Does not include uint64 above Int.max.
  package var integers: ClosedRange<Int>? {
    switch self {
    case .int8: Int(Int8.min)...Int(Int8.max)
    case .uint8: 0...Int(UInt8.max)
    case .int16: Int(Int16.min)...Int(Int16.max)
    case .uint16: 0...Int(UInt16.max)
    case .int32: Int(Int32.min)...Int(Int32.max)
    case .uint32: 0...Int(UInt32.max)
    case .int64: Int.min...Int.max
    case .uint64: 0...Int.max
    default: nil
    }
  }

  package var isNumber: Bool { self != .void && self != .pointer }
  package var byteCount: Int {
    switch self {
    case .void: 0
    case .int8, .uint8: 1
    case .int16, .uint16: 2
    case .int32, .uint32, .float: 4
    default: 8
    }
  }

  /// A number as the bits of an argument of this type, in its first bytes; nil if it does not fit.
  package func bits(_ value: Double) -> UInt64? {
    switch self {
    case .float: return UInt64(Float(value).bitPattern)
    case .double: return value.bitPattern
    default: return Int(exactly: value).flatMap { bits($0) }
    }
  }

  package func bits(_ value: Int) -> UInt64? {
    switch self {
    case .float, .double: return bits(Double(value))
    default: return integers?.contains(value) == true ? UInt64(bitPattern: Int64(value)) : nil
    }
  }

  /// The bits of a result as a number. libffi widens integers to a register.
  package func number(_ bits: UInt64) -> Double {
    switch self {
    case .int8: Double(Int8(truncatingIfNeeded: bits))
    case .uint8: Double(UInt8(truncatingIfNeeded: bits))
    case .int16: Double(Int16(truncatingIfNeeded: bits))
    case .uint16: Double(UInt16(truncatingIfNeeded: bits))
    case .int32: Double(Int32(truncatingIfNeeded: bits))
    case .uint32: Double(UInt32(truncatingIfNeeded: bits))
    case .int64: Double(Int64(bitPattern: bits))
    case .float: Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
    case .double: Double(bitPattern: bits)
    default: Double(bits)
    }
  }
}
