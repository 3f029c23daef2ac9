import CClip

/// The host's log callback; messages are dropped if there is none.
struct Log {
  let function: clip_log_fn?
  let user: UnsafeMutableRawPointer?

  func warning(_ message: String) { send(CLIP_LOG_WARNING, message) }
  func info(_ message: String) { send(CLIP_LOG_INFO, message) }

  func send(_ level: clip_log_level, _ message: String) {
    guard let function else { return }
    var text = Array(message.utf8CString)
    text.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      UTF8Text.hideControls(base, buffer.count - 1)
      function(user, level, base)
    }
  }
}
