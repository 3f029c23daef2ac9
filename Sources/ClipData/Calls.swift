import CClip
import CSystem

// What every library over the core needs, by the core's public functions. Sources/ClipIndex has a link to this file.

/// Throws the error of a call of the core.
func call(_ status: clip_status) throws(ClipError) {
  guard status != CLIP_OK else { return }
  throw ClipError(status, clip_last_error().map { String(cString: $0) } ?? "")
}

/// The body of a public call that can fail.
func reporting(_ body: () throws(ClipError) -> Void) -> clip_status { runCall(clip_set_last_error, body) }

/// A reference to a runtime.
final class Runtime {
  let handle: OpaquePointer

  convenience init(_ handle: OpaquePointer?) throws(ClipError) {
    guard let held = clip_runtime_retain(handle) else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "runtime: expected a handle, found a null pointer")
    }
    self.init(held: held)
  }

  private init(held: OpaquePointer) { handle = held }

  deinit { clip_runtime_release(handle) }

  var threads: Int { Int(clip_runtime_threads(handle)) }

  func warning(_ message: String) { message.withCString { clip_runtime_log(handle, CLIP_LOG_WARNING, $0) } }

  /// Calls task(i) for every i in [0, count) on the runtime's threads.
  func run(_ count: Int, _ task: (Int) -> Void) throws(ClipError) {
    let status = withoutActuallyEscaping(task) { task in
      var task = task
      return withUnsafeMutablePointer(to: &task) { task in
        clip_runtime_parallel_for(
          handle, count, { $0?.assumingMemoryBound(to: ((Int) -> Void).self).pointee($1) },
          UnsafeMutableRawPointer(task))
      }
    }
    try call(status)
  }
}
