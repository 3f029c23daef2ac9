import CClip
import CSystem

/// Keeps `error`'s message for clip_last_error on this thread, cut to the buffer.
private func remember(_ error: ClipError) {
  guard let buffer = csystem_message() else { return }
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
