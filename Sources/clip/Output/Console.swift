import Glibc

/// Standard error: messages, and below them the line of a progress bar. May be used from any thread.
final class Console: @unchecked Sendable {
  static let shared = Console()

  /// Whether it is a terminal, which can redraw a line.
  let isTerminal: Bool
  private let lock = Lock()
  private var status = ""

  private init() {
    isTerminal = isatty(STDERR_FILENO) == 1 && string(getenv("TERM")) != "dumb"
  }

  /// Columns of the terminal; 80 if unknown.
  var columns: Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  func error(_ message: String) { line("Error: \(message)") }

  func warning(_ message: String) { line("Warning: \(message)") }

  /// Writes a message of one or more lines. Errors of writing are ignored.
  func line(_ message: String) {
    let safe = message.split(separator: "\n", omittingEmptySubsequences: false).map { visible(String($0)) }
    lock.locked {
      let erase = status.isEmpty ? "" : "\r\u{1b}[K"
      put(erase + safe.joined(separator: "\n") + "\n" + status)
    }
  }

  /// Shows `text` as the last line of a terminal, in place of the previous one; "" removes it.
  func show(_ text: String) {
    guard isTerminal else { return }
    lock.locked {
      status = text
      put("\r" + text + "\u{1b}[K")
    }
  }

  private func put(_ text: String) {
    var text = text
    _ = text.withUTF8 { writeAll(STDERR_FILENO, UnsafeRawBufferPointer($0)) }
  }
}
