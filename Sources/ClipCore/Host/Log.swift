import CClip

/// The host's log callback; messages are dropped if there is none.
struct Log {
  let function: clip_log_fn?
  let user: UnsafeMutableRawPointer?

  func warning(_ message: String) { send(CLIP_LOG_WARNING, message) }
  func info(_ message: String) { send(CLIP_LOG_INFO, message) }

  private func send(_ level: clip_log_level, _ message: String) { message.withCString { send(level, $0) } }

  func send(_ level: clip_log_level, _ message: UnsafePointer<CChar>) { function?(user, level, message) }
}
