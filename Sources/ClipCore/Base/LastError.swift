import CClip
import CSystem

/// This thread's message. The only caller of csystem_message: each object file that called it would
/// have a buffer of its own.
@inline(never)
private func message() -> UnsafeMutablePointer<CChar>? { csystem_message() }

@c @implementation
public func clip_last_error() -> UnsafePointer<CChar>? { UnsafePointer(message()) }

/// Keeps `error`'s message for clip_last_error on this thread, cut to the buffer.
private func remember(_ error: ClipError) {
  guard let buffer = message() else { return }
  var length = 0
  for byte in error.message.utf8.prefix(csystem_message_capacity - 1) {
    buffer[length] = CChar(bitPattern: byte)
    length += 1
  }
  buffer[length] = 0
}

/// The body of every public call that can fail: runs `body`, turns what it throws into a status.
func reporting(_ body: () throws(ClipError) -> Void) -> clip_status {
  do throws(ClipError) {
    try body()
    return CLIP_OK
  } catch {
    remember(error)
    return error.status
  }
}
