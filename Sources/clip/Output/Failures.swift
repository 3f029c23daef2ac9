import Glibc

extension CLIPError {
  /// An error of the tool itself.
  init(_ message: String, status: CLIPStatus = .invalidArgument) { self.init(status, message) }

  /// The system's error of the call that just failed. `what` names what was tried.
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
