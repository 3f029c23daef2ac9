import Glibc

/// Work on a thread of its own, begun at once.
final class Background<Value>: @unchecked Sendable {
  private let work: () throws(CLIPError) -> Value
  private var result: Result<Value, CLIPError>?
  private var thread = pthread_t()
  private var isStarted = false

  init(_ work: @escaping () throws(CLIPError) -> Value) {
    self.work = work
    let code = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<Background>.fromOpaque(argument).takeUnretainedValue().run() }
        return nil
      }, Unmanaged.passUnretained(self).toOpaque())
    isStarted = code == 0
  }

  deinit { join() }

  /// The result, once it is there. Where no thread could be started, the work is done now.
  func wait() -> Result<Value, CLIPError> {
    join()
    if result == nil { run() }
    return result ?? .failure(CLIPError("the work has no result"))
  }

  private func join() {
    if isStarted { pthread_join(thread, nil) }
    isStarted = false
  }

  private func run() {
    do throws(CLIPError) {
      result = .success(try work())
    } catch {
      result = .failure(error)
    }
  }
}
