/// Reads the fields of a Protocol Buffers message (https://protobuf.dev/programming-guides/encoding).
struct ProtobufReader {
  struct Field {
    let number: UInt64
    /// The content of a length-delimited field.
    var bytes: UnsafeRawBufferPointer?
    /// The value of a varint field.
    var value: UInt64?
    /// The value of a 32-bit field.
    var float: Float?
  }

  private let message: UnsafeRawBufferPointer
  private var at = 0
  private(set) var isMalformed = false

  init(_ message: UnsafeRawBufferPointer) { self.message = message }

  /// The next field; nil at the end, and if the message is malformed.
  mutating func next() -> Field? {
    guard at < message.count, !isMalformed else { return nil }
    guard let key = varint(), key <= UInt64(UInt32.max), key >> 3 > 0 else { return malformed() }
    var field = Field(number: key >> 3)
    switch key & 7 {
    case 0:
      field.value = varint()
      return field.value == nil ? malformed() : field
    case 1: return skip(8) ? field : malformed()
    case 2:
      guard let count = varint(), count <= UInt64(message.count - at) else { return malformed() }
      let start = at
      at += Int(count)
      field.bytes = UnsafeRawBufferPointer(rebasing: message[start..<at])
      return field
    case 5:
      guard skip(4) else { return malformed() }
      let bits = message.loadUnaligned(fromByteOffset: at - 4, as: UInt32.self)
      field.float = Float(bitPattern: UInt32(littleEndian: bits))
      return field
    // Groups, which are deprecated.
    default: return malformed()
    }
  }

  private mutating func malformed() -> Field? {
    isMalformed = true
    return nil
  }

  private mutating func skip(_ count: Int) -> Bool {
    guard count <= message.count - at else { return false }
    at += count
    return true
  }

  private mutating func varint() -> UInt64? {
    var value: UInt64 = 0
    for shift in 0..<10 {
      guard at < message.count else { return nil }
      let byte = message[at]
      at += 1
      value |= UInt64(byte & 0x7F) << UInt64(7 * shift)
      if byte < 0x80 { return value }
    }
    return nil
  }
}
