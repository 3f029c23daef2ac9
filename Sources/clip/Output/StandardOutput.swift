import Glibc

/// Results, to standard output.
enum StandardOutput {
  /// Writes all of `text`. When the reader has gone, ends the program as other tools do: quietly, by
  /// SIGPIPE.
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

/// Writes every byte, and returns 0 or the errno of the write that failed.
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
