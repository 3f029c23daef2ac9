import CClip

/// One pair, decoded, augmented and preprocessed.
final class Sample {
  let key: CText
  let caption: CText
  /// All captions of the pair, if they are kept.
  var captions: [CText] = []
  /// The image's file, if it is kept.
  var file: (memory: Memory, size: Int)?
  /// The decoded and augmented image, if it is kept.
  var image: ImageHandle?
  /// The model's input as [height, width, 3] bytes before normalisation, a quarter of the floats' size.
  var pixels: Memory?
  var tokens: [Int32] = []
  var tokenCount: UInt32 = 0

  init(key: CText, caption: CText) {
    self.key = key
    self.caption = caption
  }
}

/// A text for C callers: UTF-8 without NUL, followed by a NUL.
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

/// The result of one step of the sequence.
enum Outcome {
  case sample(Sample)
  case left(Defect, ClipError)
  case damaged(ClipError)
  case endOfEpoch
  case end
  /// A failure of the system, not of the data: no memory, no descriptors, a failing disk.
  case failed(ClipError)
}
