import Glibc

extension CLIPError {
  /// Work of the tool that failed.
  init(_ message: String, status: CLIPStatus = .invalidArgument) { self.init(status, message) }

  /// What the system said about the call that just failed, after `what` was tried.
  static func system(_ what: String, _ code: Int32 = errno) -> CLIPError {
    let status: CLIPStatus =
      switch code {
      case ENOENT, ENOTDIR: .notFound
      case ENOMEM: .outOfMemory
      default: .io
      }
    return CLIPError(status, "\(what): \(systemMessage(code))")
  }
}

/// The system's message for an errno value.
func systemMessage(_ code: Int32) -> String {
  guard let text = strerror(code) else { return "error \(code)" }
  return String(cString: text)
}
