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
  private var memory: Memory?

  func pixels(floats: Int) throws(ClipError) -> UnsafeMutablePointer<Float> {
    if let memory, memory.byteCount / 4 >= floats { return memory.floats }
    memory = nil
    let larger = try Memory(floats: floats, for: "preprocessed pictures")
    memory = larger
    return larger.floats
  }

  func reserve(pieces count: Int) {
    while pieces.count < count { pieces.append(PreprocessScratch()) }
  }
}
