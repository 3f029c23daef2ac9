import CClip

/// Buffers of one call that preprocesses; kept for later calls.
final class ImageScratch {
  private(set) var pieces: [PreprocessScratch] = []
  let failures = Failures()
  /// The preprocessed images.
  var pixels = GrowingBuffer()

  func reserve(pieces count: Int) {
    while pieces.count < count { pieces.append(PreprocessScratch()) }
  }
}

/// Buffers of one call that tokenizes and encodes; kept for later calls.
final class TextScratch {
  var tokens = GrowingBuffer()
  private var prompted = GrowingBuffer()

  /// `prompt` followed by the text, valid until the next call.
  func prefixed(_ text: UnsafeRawBufferPointer, by prompt: Name) throws(ClipError) -> UnsafeBufferPointer<UInt8> {
    if prompt.isEmpty { return text.bindMemory(to: UInt8.self) }
    let count = prompt.utf8.count + text.count
    let joined = try prompted.reserve(count, for: "a text with its prompt")
    prompt.utf8.withUnsafeBytes {
      joined.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(joined), byteCount: $0.count)
    }
    if let base = text.baseAddress { (joined + prompt.utf8.count).copyMemory(from: base, byteCount: text.count) }
    return UnsafeRawBufferPointer(start: joined, count: count).bindMemory(to: UInt8.self)
  }
}
