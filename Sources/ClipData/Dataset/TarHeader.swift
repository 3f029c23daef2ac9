import CClip

/// One header block of a tar archive: POSIX.1-1988 ustar, the GNU variant and the older v7.
struct TarHeader {
  static var blockBytes: Int { 512 }

  /// The type of the member that follows the header.
  enum Kind {
    case file
    /// A folder, link or device, without data.
    case other
    /// GNU's long name: the data is the next member's name.
    case longName
    /// Pax records about the next member.
    case records
    /// Data that affects neither names nor sizes.
    case skipped
    case sparse
  }

  let name: [UInt8]
  let size: Int
  let kind: Kind

  /// nil for a block of zeros, which ends an archive. CLIP_FORMAT if it is no header.
  init?(_ block: UnsafeBufferPointer<UInt8>) throws(ClipError) {
    var sum = 0
    var signedSum = 0
    var isZero = true
    for index in 0..<TarHeader.blockBytes {
      // In the checksum its own field counts as spaces.
      let byte = (148..<156).contains(index) ? UInt8(ascii: " ") : block[index]
      sum += Int(byte)
      signedSum += Int(Int8(bitPattern: byte))
      if block[index] != 0 { isZero = false }
    }
    if isZero { return nil }
    guard let said = TarHeader.number(block, 148..<156), said == sum || said == signedSum else {
      throw ClipError(CLIP_FORMAT, "expected a tar header, found a block whose checksum is wrong")
    }
    let field = TarHeader.text(block, 0..<100)
    // GNU's magic is followed by spaces; its archives may have times in the place of ustar's prefix.
    let isPOSIX = block[257..<263].elementsEqual([0x75, 0x73, 0x74, 0x61, 0x72, 0])
    let prefix = isPOSIX ? TarHeader.text(block, 345..<500) : []
    name = prefix.isEmpty ? field : prefix + [UInt8(ascii: "/")] + field
    guard let size = TarHeader.number(block, 124..<136) else {
      throw ClipError(
        CLIP_FORMAT, "expected an octal size that is not negative for \(Name(utf8: name).string), found something else")
    }
    self.size = size
    kind =
      switch block[156] {
      case 0, UInt8(ascii: "0"), UInt8(ascii: "7"): name.last == UInt8(ascii: "/") ? .other : .file
      case UInt8(ascii: "1")...UInt8(ascii: "6"): .other
      case UInt8(ascii: "L"): .longName
      case UInt8(ascii: "x"), UInt8(ascii: "X"): .records
      case UInt8(ascii: "S"): .sparse
      default: .skipped
      }
  }

  /// An octal number between spaces and NULs, or GNU's binary form; nil for anything else, and for a negative or too
  /// large number.
  private static func number(_ block: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Int? {
    var value = 0
    if block[range.lowerBound] & 0x80 != 0 {
      guard block[range.lowerBound] == 0x80 else { return nil }
      for byte in block[range].dropFirst() {
        guard value >> 54 == 0 else { return nil }
        value = value << 8 | Int(byte)
      }
      return value
    }
    var digits = 0
    var isOver = false
    for byte in block[range] {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "7"):
        guard !isOver else { return nil }
        value = value << 3 | Int(byte - UInt8(ascii: "0"))
        digits += 1
      case UInt8(ascii: " "), 0: if digits > 0 { isOver = true }
      default: return nil
      }
    }
    return digits == 0 ? nil : value
  }

  private static func text(_ block: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> [UInt8] {
    Array(block[range].prefix { $0 != 0 })
  }
}
