import CClip

/// What one call that preprocesses needs; kept for the next.
final class ImageScratch {
  private(set) var pieces: [PreprocessScratch] = []
  let failures = Failures()
  /// The preprocessed images.
  var pixels = GrowingBuffer()

  func reserve(pieces count: Int) {
    while pieces.count < count { pieces.append(PreprocessScratch()) }
  }
}

/// What one call that tokenizes and encodes needs; kept for the next.
final class TextScratch {
  var tokens = GrowingBuffer()
}
