import CClip
import ClipBase

/// SentencePiece's model file, a Protocol Buffers message (ModelProto of
/// https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto).
struct SentencePieceFile {
  enum Algorithm: UInt64 { case unigram = 1, bytePairs, words, characters }
  enum Kind: UInt64 { case normal = 1, unknown, control, userDefined, unused, byte }

  struct Piece {
    let name: Name
    let score: Float
    let kind: Kind
  }

  private(set) var pieces: [Piece] = []
  private(set) var algorithm = Algorithm.unigram
  private(set) var marksEnds = false
  private(set) var hasByteFallback = false
  private(set) var charsmap: CharacterMap?
  private(set) var addsPrefix = true
  private(set) var collapsesSpaces = true
  private(set) var escapesSpaces = true
  let place: String

  private static var mostPieces: Int { 1 << 20 }
  /// In bytes.
  private static var longestPiece: Int { 1024 }
  private static var longestUserDefined: Int { 64 }

  init(_ bytes: UnsafeRawBufferPointer, _ place: String) throws(ClipError) {
    self.place = place
    var message = ProtobufReader(bytes)
    while let field = message.next() {
      try requireMemory("pieces")
      switch (field.number, field.bytes) {
      case (1, let bytes?): try pieces.add(piece(bytes), for: "pieces")
      case (2, let bytes?): try readTrainer(bytes)
      case (3, let bytes?): try readNormalizer(bytes)
      default: break
      }
      guard pieces.count <= SentencePieceFile.mostPieces else {
        throw error(CLIP_LIMIT, "expected at most \(SentencePieceFile.mostPieces) pieces")
      }
    }
    guard !message.isMalformed, !pieces.isEmpty else {
      throw error(CLIP_FORMAT, "expected SentencePiece's model, found a message that ends early or is malformed")
    }
  }

  func error(_ status: clip_status, _ text: String) -> ClipError { ClipError(status, place + ": " + text) }

  private func piece(_ bytes: UnsafeRawBufferPointer) throws(ClipError) -> Piece {
    var message = ProtobufReader(bytes)
    var name: Name = ""
    var score: Float = 0
    var kind = Kind.normal
    while let field = message.next() {
      switch field.number {
      case 1: name = Name(utf8: field.bytes.map { Array($0) } ?? [])
      case 2: score = field.float ?? 0
      case 3:
        guard let known = Kind(rawValue: field.value ?? 0) else {
          throw error(CLIP_FORMAT, "piece \(pieces.count): expected a type from 1 to 6")
        }
        kind = known
      default: break
      }
    }
    let longest = kind == .userDefined ? SentencePieceFile.longestUserDefined : SentencePieceFile.longestPiece
    guard !message.isMalformed, !name.isEmpty, name.utf8.count <= longest, UTF8Text.isValid(name.utf8),
      !name.utf8.contains(0), score.isFinite
    else {
      throw error(
        CLIP_FORMAT,
        "piece \(pieces.count): expected a name of 1 to \(longest) bytes of UTF-8 without NUL, and a finite score")
    }
    return Piece(name: name, score: score, kind: kind)
  }

  private mutating func readTrainer(_ bytes: UnsafeRawBufferPointer) throws(ClipError) {
    var message = ProtobufReader(bytes)
    while let field = message.next() {
      switch field.number {
      case 3:
        guard let known = Algorithm(rawValue: field.value ?? 0) else {
          throw error(CLIP_FORMAT, "trainer_spec.model_type: expected 1 to 4")
        }
        algorithm = known
      case 24: marksEnds = field.value != 0
      case 35: hasByteFallback = field.value != 0
      default: break
      }
    }
    if message.isMalformed { throw error(CLIP_FORMAT, "trainer_spec is malformed") }
  }

  private mutating func readNormalizer(_ bytes: UnsafeRawBufferPointer) throws(ClipError) {
    var message = ProtobufReader(bytes)
    while let field = message.next() {
      switch field.number {
      case 2:
        guard let map = field.bytes, !map.isEmpty else { continue }
        charsmap = CharacterMap(map)
        let problem = charsmap == nil ? "expected a trie and replacements in UTF-8" : charsmap?.problem
        if let problem { throw error(CLIP_FORMAT, "normalizer_spec.precompiled_charsmap: " + problem) }
      case 3: addsPrefix = field.value != 0
      case 4: collapsesSpaces = field.value != 0
      case 5: escapesSpaces = field.value != 0
      default: break
      }
    }
    if message.isMalformed { throw error(CLIP_FORMAT, "normalizer_spec is malformed") }
  }
}
