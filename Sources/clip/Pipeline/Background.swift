import Glibc

/// Work on a thread of its own, begun at once.
final class Background: @unchecked Sendable {
  private let work: () -> Void
  private var thread: pthread_t?
  private var isDone = false

  init(_ work: @escaping () -> Void) {
    self.work = work
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<Background>.fromOpaque(argument).takeUnretainedValue().work() }
        return nil
      }, Unmanaged.passUnretained(self).toOpaque())
    if code == 0 { self.thread = thread }
  }

  deinit { wait() }

  /// Returns when the work is done. Where no thread could be started, it is done now.
  func wait() {
    if let thread { pthread_join(thread, nil) } else if !isDone { work() }
    thread = nil
    isDone = true
  }
}
