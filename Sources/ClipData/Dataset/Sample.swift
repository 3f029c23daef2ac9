import CClip

/// One pair, made ready.
final class Sample {
  let key: CText
  let caption: CText
  /// All that it may be drawn from, where they are kept.
  var captions: [CText] = []
  /// The image's file as it was stored, where it is kept.
  var file: (memory: Memory, size: Int)?
  /// Decoded and augmented, where it is kept.
  var image: ImageHandle?
  /// [height, width, 3] bytes as the model takes them, before normalisation: a quarter of the floats' room.
  var pixels: Memory?
  var tokens: [Int32] = []
  var tokenCount: UInt32 = 0

  init(key: CText, caption: CText) {
    self.key = key
    self.caption = caption
  }
}

/// A text for C callers: UTF-8 without NUL, and one behind it.
struct CText {
  private let memory: Memory

  init(_ bytes: [UInt8]) throws(ClipError) {
    memory = try Memory(byteCount: bytes.count + 1, for: "a text")
    bytes.withUnsafeBytes {
      if let base = $0.baseAddress { memory.base.copyMemory(from: base, byteCount: bytes.count) }
    }
    memory.bytes[bytes.count] = 0
  }

  var pointer: UnsafePointer<CChar> { UnsafeRawPointer(memory.base).assumingMemoryBound(to: CChar.self) }
}

/// Why a pair was left out.
enum Defect: Int, CaseIterable {
  case noImage, noCaption, badImage, badText, tooLarge
}

/// What became of one step of the sequence.
enum Outcome {
  case sample(Sample)
  case left(Defect, ClipError)
  case damaged(ClipError)
  case endOfEpoch
  case end
  /// Nothing to do with the data: no memory, no descriptors, a failing disk.
  case failed(ClipError)
}
