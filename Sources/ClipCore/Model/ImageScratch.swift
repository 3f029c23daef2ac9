import CClip

/// The first failure, by index, among pieces that run at the same time.
final class Failures {
  private let mutex = Mutex()
  private var first: (index: Int, error: ClipError)?

  func record(_ error: ClipError, _ index: Int) {
    mutex.lock()
    if index < (first?.index ?? Int.max) { first = (index, error) }
    mutex.unlock()
  }

  /// Throws what was recorded and forgets it.
  func throwFirst() throws(ClipError) {
    guard let failure = first else { return }
    first = nil
    throw failure.error
  }
}

/// What one call that preprocesses needs; kept for the next.
final class ImageScratch {
  private(set) var pieces: [PreprocessScratch] = []
  let failures = Failures()
  /// The preprocessed pictures.
  var pixels = GrowingBuffer()

  func reserve(pieces count: Int) {
    while pieces.count < count { pieces.append(PreprocessScratch()) }
  }
}

/// What one call that tokenizes and encodes needs; kept for the next.
final class TextScratch {
  let tokenizing = TokenScratch()
  var tokens = GrowingBuffer()
}
