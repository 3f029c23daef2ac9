import CClip

/// The syntax of a table's records.
enum TableDialect {
  /// RFC 4180 with this byte between fields.
  case delimited(UInt8)
  /// One JSON object on each line.
  case jsonLines
}

/// Finds the records of a CSV, TSV or JSONL file. Their fields are parsed later.
final class TableReader: ShardReader {
  private let file: FileReader
  private let dialect: TableDialect
  private let shard: Int
  private var offset: Int
  private var ordinal: Int

  /// The most bytes of a record. A longer one has an unclosed quote.
  static var longestRecord: Int { 1 << 20 }

  /// `position` 0 is before the line with the column names.
  convenience init(_ path: String, _ dialect: TableDialect, shard: Int, from place: ShardPosition) throws(ClipError) {
    self.init(try FileReader(path), dialect, shard, place)
    if place.offset == 0 {
      try skipMark()
      if case .delimited = dialect { _ = try record() }
    }
  }

  private init(_ file: FileReader, _ dialect: TableDialect, _ shard: Int, _ place: ShardPosition) {
    self.file = file
    self.dialect = dialect
    self.shard = shard
    offset = place.offset
    ordinal = place.ordinal
  }

  var position: Int { offset }

  func next() throws(ClipError) -> SampleReference? {
    guard let extent = try record() else { return nil }
    defer { ordinal += 1 }
    return SampleReference(shard: shard, ordinal: ordinal, key: Name("record \(ordinal + 1)"), content: .row(extent))
  }

  /// Skips UTF-8's byte order mark. CLIP_UNSUPPORTED for UTF-16's.
  private func skipMark() throws(ClipError) {
    let mark = Array(try file.peek(at: 0, 2))
    guard mark != [0xFF, 0xFE], mark != [0xFE, 0xFF] else {
      throw ClipError(CLIP_UNSUPPORTED, file.path + ": expected a table in UTF-8, found one in UTF-16")
    }
    if try file.peek(at: 0, 3).elementsEqual([0xEF, 0xBB, 0xBF]) { offset = 3 }
  }

  /// The fields of the first line.
  static func header(_ path: String, _ delimiter: UInt8) throws(ClipError) -> [Name] {
    let reader = TableReader(try FileReader(path), .delimited(delimiter), 0, ShardPosition())
    try reader.skipMark()
    guard let extent = try reader.record() else {
      throw ClipError(CLIP_FORMAT, path + ": expected a line with the columns' names, found an empty file")
    }
    let memory = try reader.file.read(extent, for: "a table's header")
    defer { withExtendedLifetime(memory) {} }
    do throws(ClipError) {
      return try fields(UnsafeBufferPointer(start: memory.bytes, count: extent.size), delimiter).map { Name(utf8: $0) }
    } catch {
      throw error.at(path + ": the first line")
    }
  }

  private enum State { case start, plain, quoted, closing }

  /// The next record that is not blank, without its line end; nil at the end of the file.
  private func record() throws(ClipError) -> Extent? {
    var state = State.start
    var at = offset
    var isBlank = true
    search: while true {
      let piece = try file.piece(at: at)
      if piece.isEmpty { break }
      for (index, byte) in piece.enumerated() {
        if byte == UInt8(ascii: "\n"), state != .quoted {
          let extent = Extent(offset: offset, size: at + index - offset)
          offset = at + index + 1
          if !isBlank { return extent }
          state = .start
          at = offset
          continue search
        }
        if byte != UInt8(ascii: "\r"), byte != UInt8(ascii: " "), byte != UInt8(ascii: "\t") { isBlank = false }
        if case .delimited(let delimiter) = dialect { state = TableReader.follow(state, byte, delimiter) }
      }
      at += piece.count
      guard state != .quoted || at - offset <= TableReader.longestRecord else {
        throw openQuote("after \(at - offset) bytes")
      }
    }
    guard state != .quoted else { throw openQuote("at the end of the file") }
    guard !isBlank else {
      offset = at
      return nil
    }
    defer { offset = at }
    return Extent(offset: offset, size: at - offset)
  }

  private static func follow(_ state: State, _ byte: UInt8, _ delimiter: UInt8) -> State {
    let quote = UInt8(ascii: "\"")
    switch state {
    case .quoted: return byte == quote ? .closing : .quoted
    case .start where byte == quote, .closing where byte == quote: return .quoted
    case .start, .plain, .closing:
      if byte == delimiter { return .start }
      return state == .closing && byte == UInt8(ascii: "\r") ? .closing : .plain
    }
  }

  private func openQuote(_ place: String) -> ClipError {
    ClipError(
      CLIP_FORMAT,
      "\(file.path): record \(ordinal + 1), from byte \(offset) on: expected a closing quote, found none \(place)")
  }

  /// The fields of a record. CLIP_FORMAT for text after a closing quote.
  static func fields(_ record: UnsafeBufferPointer<UInt8>, _ delimiter: UInt8) throws(ClipError) -> [[UInt8]] {
    var fields: [[UInt8]] = []
    var field: [UInt8] = []
    var state = State.start
    let end = record.last == UInt8(ascii: "\r") ? record.count - 1 : record.count
    for index in 0..<end {
      let byte = record[index]
      let next = follow(state, byte, delimiter)
      switch (state, next) {
      case (.start, .start), (.plain, .start), (.closing, .start):
        fields.append(field)
        field = []
      case (.start, .quoted), (.quoted, .closing): break
      case (.closing, .plain), (.closing, .closing):
        throw ClipError(
          CLIP_FORMAT, "field \(fields.count + 1): expected its end after a closing quote, found more text")
      default: field.append(byte)
      }
      state = next
    }
    guard state != .quoted else {
      throw ClipError(CLIP_FORMAT, "field \(fields.count + 1): expected a closing quote, found none")
    }
    fields.append(field)
    return fields
  }
}
