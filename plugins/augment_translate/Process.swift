import CClip
import CSystem
import ClipPluginKit

/// A running program that answers each text with a text; both end with NUL. It has a process group of its own, so that
/// a shell pipeline ends as a whole.
///
/// It does not disturb the host: no signal handler is set; no SIGPIPE is raised, since the parent holds a reading end
/// of the pipe that it writes to; descriptors are closed on exec; only this child is waited for. For one thread at a
/// time.
final class FilterProcess {
  private let pid: pid_t
  /// The writing end of the program's input, and a reading end that is kept open so that a write raises no SIGPIPE.
  private let input: Int32
  private let inputReader: Int32
  private let output: Int32

  /// Starts `command` by /bin/sh with one argument.
  convenience init(_ command: String, _ argument: String) throws(PluginFailure) {
    var pid: pid_t = 0
    var ends: (Int32, Int32, Int32) = (-1, -1, -1)
    let code = command.withCString { command in
      argument.withCString { csystem_spawn_filter(command, $0, &pid, &ends.0, &ends.1, &ends.2) }
    }
    guard code == 0 else { throw PluginFailure(CLIP_IO, "back_translation: cannot start a process: errno \(code)") }
    self.init(pid, ends.0, ends.1, ends.2)
  }

  private init(_ pid: pid_t, _ input: Int32, _ inputReader: Int32, _ output: Int32) {
    self.pid = pid
    self.input = input
    self.inputReader = inputReader
    self.output = output
  }

  deinit {
    close(input)
    close(inputReader)
    close(output)
    csystem_end_group(pid)
  }

  var isRunning: Bool { csystem_is_running(pid) != 0 }

  /// The answer to `text`, which must not contain NUL. nil if the program ends, does not answer within `seconds`, or
  /// writes more than `limit` bytes; then the process must not be used again.
  func ask(_ text: [UInt8], seconds: Double, limit: Int) -> [UInt8]? {
    let deadline = csystem_seconds() + seconds
    let sent = text + [0]
    var written = 0
    var answer: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      // The program may write before it has read all of its input.
      var events = [
        pollfd(fd: output, events: Int16(POLLIN), revents: 0), pollfd(fd: input, events: Int16(POLLOUT), revents: 0),
      ]
      let remaining = deadline - csystem_seconds()
      guard remaining > 0 else { return nil }
      // Waits of 200 ms at most: children of a program that has ended may keep its output open.
      let milliseconds = Int32(exactly: min(remaining * 1000, 200).rounded(.up)) ?? 200
      let ready = poll(&events, written < sent.count ? 2 : 1, milliseconds)
      if ready < 0, csystem_errno() != EINTR { return nil }
      if ready == 0, !isRunning { return nil }
      if ready <= 0 { continue }
      if events[0].revents != 0 {
        let count = read(output, &buffer, buffer.count)
        if count == 0 || (count < 0 && csystem_errno() != EINTR && csystem_errno() != EAGAIN) { return nil }
        for index in 0..<max(0, count) {
          // Output after the end of the answer is a failure.
          if buffer[index] == 0 { return index == count - 1 && written == sent.count ? answer : nil }
          answer.append(buffer[index])
        }
        if answer.count > limit { return nil }
      }
      if written < sent.count, events[1].revents != 0 {
        let count = sent.withUnsafeBytes { bytes in
          bytes.baseAddress.map { write(input, $0 + written, bytes.count - written) } ?? 0
        }
        if count < 0, csystem_errno() != EINTR, csystem_errno() != EAGAIN { return nil }
        written += max(0, count)
      }
    }
  }
}
