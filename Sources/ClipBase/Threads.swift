import CClip
import CSystem

/// Starts `count` threads that call `body` with `context`, and appends them to `threads`. The caller joins these, also
/// after an error. `what` names the option that asks for them.
package func startThreads(
  _ count: Int, _ what: StaticString, adding threads: inout [pthread_t], _ context: UnsafeMutableRawPointer,
  _ body: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?
) throws(ClipError) {
  for started in 0..<count {
    var thread = pthread_t()
    guard csystem_start_thread(&thread, body, context) == 0 else {
      throw ClipError(
        CLIP_OUT_OF_MEMORY, "\(what): expected to start \(count), the system refused after \(started)")
    }
    threads.append(thread)
  }
}
