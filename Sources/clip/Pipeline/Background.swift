import Glibc

/// Work on its own thread, started at once.
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

  /// Waits for the work. If no thread could be started, does it now.
  func wait() {
    if let thread { pthread_join(thread, nil) } else if !isDone { work() }
    thread = nil
    isDone = true
  }
}
