import Glibc

/// Standard output, for results.
enum StandardOutput {
  /// Writes all of `text`. If the reader has closed the pipe, the program ends by SIGPIPE, as other tools do.
  static func write(_ text: String) throws(CLIPError) { try write(bytes: Array(text.utf8)) }

  static func write(bytes: [UInt8]) throws(CLIPError) {
    let code = bytes.withUnsafeBytes { writeAll(STDOUT_FILENO, $0) }
    if code == EPIPE {
      signal(SIGPIPE, SIG_DFL)
      raise(SIGPIPE)
    }
    guard code == 0 else { throw .system("cannot write to standard output", code) }
  }

  /// Writes one JSON document and a newline.
  static func write(_ document: JSON) throws(CLIPError) {
    try write(document.pretty() + "\n")
  }
}

/// Writes all bytes. Returns 0, or the errno of the failed write.
func writeAll(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int32 {
  var rest = bytes[...]
  while !rest.isEmpty {
    let count = write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
    if count < 0 && errno == EINTR { continue }
    guard count > 0 else { return count == 0 ? EIO : errno }
    rest = rest.dropFirst(count)
  }
  return 0
}
