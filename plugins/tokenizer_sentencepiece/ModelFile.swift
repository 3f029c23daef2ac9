/// Validates what libsentencepiece 0.1 does not check in a model file, a Protocol Buffers message (ModelProto of
/// https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto).
enum ModelFile {
  private enum Field {
    static var pieces: UInt64 { 1 }
    static var normalizer: UInt64 { 3 }
    static var denormalizer: UInt64 { 5 }
    // Fields of a piece.
    static var name: UInt64 { 1 }
    static var type: UInt64 { 3 }
    // A field of a normalizer.
    static var charsmap: UInt64 { 2 }
  }

  private static var userDefined: UInt32 { 4 }
  private static var mostPieces: Int { 1 << 20 }
  /// In bytes. The library builds its trie by recursion over the bytes of a piece.
  private static var longestPiece: Int { 1024 }
  /// In bytes. The library has memory for 64 user-defined pieces that are prefixes of each other.
  private static var longestUserDefined: Int { 64 }

  /// Describes what is wrong with a file; nil if it is valid.
  static func problem(in file: UnsafeRawBufferPointer) -> String? {
    var message = ProtobufReader(file)
    var pieces = 0
    while let field = message.next() {
      guard let bytes = field.bytes else { continue }
      var problem: String?
      switch field.number {
      case Field.pieces:
        problem = pieceProblem(bytes).map { "piece \(pieces): " + $0 }
        pieces += 1
      case Field.normalizer: problem = normalizerProblem(bytes).map { "normalizer_spec: " + $0 }
      case Field.denormalizer: problem = normalizerProblem(bytes).map { "denormalizer_spec: " + $0 }
      default: break
      }
      if let problem { return problem }
    }
    if message.isMalformed { return "expected a model file, found a message that is cut short or malformed" }
    if pieces > mostPieces { return "expected at most \(mostPieces) pieces, found \(pieces)" }
    return nil
  }

  private static func pieceProblem(_ bytes: UnsafeRawBufferPointer) -> String? {
    var message = ProtobufReader(bytes)
    var longest = 0
    var isUserDefined = false
    while let field = message.next() {
      if field.number == Field.name, let name = field.bytes {
        if name.contains(0) { return "expected a name without NUL bytes" }
        longest = max(longest, name.count)
      }
      if field.number == Field.type, let type = field.value, UInt32(truncatingIfNeeded: type) == userDefined {
        isUserDefined = true
      }
    }
    if message.isMalformed { return "malformed" }
    let most = isUserDefined ? longestUserDefined : longestPiece
    return longest > most ? "expected a name of at most \(most) bytes, found \(longest)" : nil
  }

  private static func normalizerProblem(_ bytes: UnsafeRawBufferPointer) -> String? {
    var message = ProtobufReader(bytes)
    while let field = message.next() {
      guard field.number == Field.charsmap, let charsmap = field.bytes, !charsmap.isEmpty else { continue }
      if let problem = CharacterMap.problem(in: charsmap) { return "precompiled_charsmap: " + problem }
    }
    return message.isMalformed ? "malformed" : nil
  }
}

/// Reads the fields of a Protocol Buffers message (https://protobuf.dev/programming-guides/encoding).
struct ProtobufReader {
  struct Field {
    let number: UInt64
    /// The content of a length-delimited field.
    var bytes: UnsafeRawBufferPointer?
    /// The value of a varint field.
    var value: UInt64?
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
    case 5: return skip(4) ? field : malformed()
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
