/// The type of the elements in a file of embeddings.
enum ElementType: String, CaseIterable {
  case f32, f16

  var byteCount: Int { self == .f32 ? 4 : 2 }

  /// A row in stored form, little-endian. Throws for an element beyond float16's range.
  func bytes(_ row: some Collection<Float>) throws(CLIPError) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(row.count * byteCount)
    for element in row {
      switch self {
      case .f32: withUnsafeBytes(of: element.bitPattern.littleEndian) { bytes += $0 }
      case .f16:
        let half = Float16(element)
        guard half.isFinite || !element.isFinite else {
          throw CLIPError("an element is \(element), and float16 reaches 65504: use --elements f32", status: .limit)
        }
        withUnsafeBytes(of: half.bitPattern.littleEndian) { bytes += $0 }
      }
    }
    return bytes
  }

  func row(_ bytes: [UInt8]) -> [Float] {
    stride(from: 0, to: bytes.count, by: byteCount).map { at in
      let bits = (0..<byteCount).reduce(UInt32(0)) { $0 | UInt32(bytes[at + $1]) << (8 * $1) }
      return self == .f32 ? Float(bitPattern: bits) : Float(Float16(bitPattern: UInt16(bits)))
    }
  }
}

/// The rows of one kind in a journal, in order.
struct EmbeddingRows {
  let kind: EmbeddingJournal.Record.Kind
  let count: Int
  let width: Int
  let elements: ElementType
  let journal: EmbeddingJournal

  /// "image" or "text".
  var name: String { kind == .text ? "text" : "image" }

  func forEach(_ body: (_ name: ByteString, _ bytes: [UInt8]) throws(CLIPError) -> Void) throws(CLIPError) {
    try journal.forEach { record throws(CLIPError) in
      if record.kind == kind { try body(record.name, record.content) }
      return true
    }
  }
}
