import CClip
import Glibc

/// Work that failed: a message for a person, and the library's status where it came from there.
struct Failure: Error {
  let message: String
  var status: clip_status?

  init(_ message: String, status: clip_status? = nil) {
    self.message = message
    self.status = status
  }

  /// What the system said about the call that just failed, after `what` was tried.
  static func system(_ what: String, _ code: Int32 = errno) -> Failure {
    Failure("\(what): \(systemMessage(code))")
  }
}

/// The system's words for an errno value.
func systemMessage(_ code: Int32) -> String {
  guard let words = strerror(code) else { return "error \(code)" }
  return String(cString: words)
}

/// Throws the library's message unless `status` is CLIP_OK.
func check(_ status: clip_status) throws(Failure) {
  guard status != CLIP_OK else { return }
  let message = String(cString: clip_last_error())
  throw Failure(message.isEmpty ? String(cString: clip_status_name(status)) : message, status: status)
}
