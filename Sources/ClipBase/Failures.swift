/// The first failure, by index, among pieces that run at the same time.
package final class Failures {
  private let mutex = Mutex()
  private var first: (index: Int, error: ClipError)?

  package init() {}

  package func record(_ error: ClipError, _ index: Int) {
    mutex.lock()
    if index < (first?.index ?? Int.max) { first = (index, error) }
    mutex.unlock()
  }

  /// Throws what was recorded and forgets it.
  package func throwFirst() throws(ClipError) {
    guard let failure = first else { return }
    first = nil
    throw failure.error
  }
}
