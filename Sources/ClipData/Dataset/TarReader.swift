import CClip

/// A file in a tar archive.
struct TarMember {
  let name: [UInt8]
  let data: Extent
  /// The offset of its first header, including headers that name it.
  let start: Int
}

/// Reads the headers of a tar archive and skips the data. Reading may begin at the start of any member.
final class TarReader {
  let file: FileReader
  /// The offset of the next member's first header.
  private(set) var offset: Int

  private static var longestName: Int { 4096 }
  private static var longestRecords: Int { 1 << 20 }

  init(_ file: FileReader, from offset: Int) {
    self.file = file
    self.offset = offset
  }

  /// The next file, nil at the archive's end marker. CLIP_FORMAT if the archive is truncated or damaged; the rest is
  /// then unreadable.
  func next() throws(ClipError) -> TarMember? {
    var at = offset
    var start = offset
    var longName: [UInt8]?
    var records = PaxRecords()
    while true {
      let block = try file.peek(at: at, TarHeader.blockBytes)
      guard block.count == TarHeader.blockBytes else {
        throw ClipError(
          CLIP_FORMAT, "\(file.path): the archive is cut short: it has no end marker, it stops at byte \(file.size)")
      }
      let header: TarHeader?
      do throws(ClipError) { header = try TarHeader(block) } catch { throw error.at("\(file.path): byte \(at)") }
      guard let header else { return nil }
      let data = at + TarHeader.blockBytes
      let size: Int =
        switch header.kind {
        case .other: 0
        case .file: records.size ?? header.size
        case .longName, .records, .skipped, .sparse: header.size
        }
      let name = records.path ?? longName ?? header.name
      guard size <= file.size - data else {
        throw ClipError(
          CLIP_FORMAT,
          "\(file.path): the archive is cut short: \(TarReader.shown(name)) has \(size) bytes from byte \(data) on, "
            + "the file ends at byte \(file.size)")
      }
      at = data + (size + TarHeader.blockBytes - 1) / TarHeader.blockBytes * TarHeader.blockBytes
      switch header.kind {
      case .longName:
        longName = Array(try text(Extent(offset: data, size: size), TarReader.longestName + 1).prefix { $0 != 0 })
      case .records:
        let bytes = try text(Extent(offset: data, size: size), TarReader.longestRecords)
        do throws(ClipError) { try records.read(bytes) } catch { throw error.at("\(file.path): byte \(data)") }
      case .skipped: break
      case .sparse: throw sparse(name)
      case .file, .other:
        guard name.count <= TarReader.longestName else {
          throw tooLong(Extent(offset: data, size: name.count), TarReader.longestName)
        }
        offset = at
        if header.kind == .file {
          guard !records.isSparse else { throw sparse(name) }
          return TarMember(name: name, data: Extent(offset: data, size: size), start: start)
        }
        // Extended headers apply to this member alone.
        start = at
        longName = nil
        records = PaxRecords()
      }
    }
  }

  private func text(_ extent: Extent, _ limit: Int) throws(ClipError) -> [UInt8] {
    guard extent.size <= limit else { throw tooLong(extent, limit) }
    let memory = try file.read(extent, for: "a tar header")
    defer { withExtendedLifetime(memory) {} }
    return Array(UnsafeBufferPointer(start: memory.bytes, count: extent.size))
  }

  private func tooLong(_ extent: Extent, _ limit: Int) -> ClipError {
    ClipError(
      CLIP_LIMIT,
      "\(file.path): byte \(extent.offset): expected a name or header of at most \(limit) bytes, found \(extent.size)")
  }

  private func sparse(_ name: [UInt8]) -> ClipError {
    ClipError(
      CLIP_UNSUPPORTED, "\(file.path): \(TarReader.shown(name)) is stored as a sparse file; archive it without --sparse"
    )
  }

  private static func shown(_ name: [UInt8]) -> String { Name(utf8: Array(name.prefix(200))).string }
}

/// Pax extended headers (POSIX.1-2001) of the next member.
struct PaxRecords {
  private(set) var path: [UInt8]?
  private(set) var size: Int?
  private(set) var isSparse = false

  /// Reads records "<length> <key>=<value>\n", whose length includes all of it.
  mutating func read(_ bytes: [UInt8]) throws(ClipError) {
    var at = 0
    while at < bytes.count {
      var length = 0
      var digits = at
      while digits < bytes.count, digits - at < 8, let digit = PaxRecords.digit(bytes[digits]) {
        length = length * 10 + digit
        digits += 1
      }
      guard digits > at, digits < bytes.count, bytes[digits] == UInt8(ascii: " "), length > digits - at + 1,
        length <= bytes.count - at, bytes[at + length - 1] == UInt8(ascii: "\n"),
        let equals = bytes[digits..<at + length].firstIndex(of: UInt8(ascii: "="))
      else {
        throw ClipError(
          CLIP_FORMAT, "expected a pax record, \"length key=value\", found something else at its byte \(at)")
      }
      try take(Name(utf8: Array(bytes[(digits + 1)..<equals])), Array(bytes[(equals + 1)..<(at + length - 1)]))
      at += length
    }
  }

  private mutating func take(_ key: Name, _ value: [UInt8]) throws(ClipError) {
    if key == "path" {
      guard !value.contains(0) else { throw ClipError(CLIP_FORMAT, "pax path: expected a name, found one with a NUL") }
      path = value.isEmpty ? nil : value
    } else if key == "size" {
      var number = 0
      for byte in value {
        guard let digit = PaxRecords.digit(byte), number < Int.max / 16 else {
          throw ClipError(
            CLIP_FORMAT, "pax size: expected a number of bytes, found \(Name(utf8: Array(value.prefix(40))).string)")
        }
        number = number * 10 + digit
      }
      size = value.isEmpty ? nil : number
    } else if key.hasPrefix("GNU.sparse.") {
      isSparse = true
    }
  }

  private static func digit(_ byte: UInt8) -> Int? {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) ? Int(byte - UInt8(ascii: "0")) : nil
  }
}
