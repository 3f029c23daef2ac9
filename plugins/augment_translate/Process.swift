import CClip
import CSystem
import ClipPluginKit

/// A program that answers each text it is given, ended by a NUL, with one that ends so too, and is kept
/// running. It is a process group of its own, so that a pipeline of programs ends as a whole.
///
/// The host is left as it is: no signal handler is set and no signal raised (the parent holds a reading end of
/// the pipe it writes to), descriptors are closed on exec, and only this child is waited for. Not for use by
/// two threads at once.
final class FilterProcess {
  private let pid: pid_t
  /// Where texts are written, and the end kept open so that a write never raises SIGPIPE.
  private let input: Int32
  private let inputReader: Int32
  private let output: Int32

  /// Runs `command` by /bin/sh with one argument.
  convenience init(_ command: String, _ argument: String) throws(PluginFailure) {
    var pid: pid_t = 0
    var ends: (Int32, Int32, Int32) = (-1, -1, -1)
    let code = command.withCString { command in
      argument.withCString { csystem_spawn_filter(command, $0, &pid, &ends.0, &ends.1, &ends.2) }
    }
    guard code == 0 else { throw PluginFailure(CLIP_IO, "back_translation: cannot start a process: error \(code)") }
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

  /// Whether the program still runs, as far as the system knows.
  var isRunning: Bool { csystem_is_running(pid) != 0 }

  /// The answer to `text`, which holds no NUL; nil when the program ends, is silent for longer than `seconds`
  /// or says more than `limit` bytes. It is of no use then.
  func ask(_ text: [UInt8], seconds: Double, limit: Int) -> [UInt8]? {
    let deadline = csystem_seconds() + seconds
    let sent = text + [0]
    var written = 0
    var answer: [UInt8] = []
    var room = [UInt8](repeating: 0, count: 4096)
    while true {
      // A program may answer before it has read all.
      var waits = [
        pollfd(fd: output, events: Int16(POLLIN), revents: 0), pollfd(fd: input, events: Int16(POLLOUT), revents: 0),
      ]
      let left = deadline - csystem_seconds()
      guard left > 0 else { return nil }
      // Short waits: a program that ended may have children that keep its output open.
      let milliseconds = Int32(exactly: min(left * 1000, 200).rounded(.up)) ?? 200
      let ready = poll(&waits, written < sent.count ? 2 : 1, milliseconds)
      if ready < 0, csystem_errno() != EINTR { return nil }
      if ready == 0, !isRunning { return nil }
      if ready <= 0 { continue }
      if waits[0].revents != 0 {
        let count = read(output, &room, room.count)
        if count == 0 || (count < 0 && csystem_errno() != EINTR && csystem_errno() != EAGAIN) { return nil }
        for index in 0..<max(0, count) {
          // What follows the answer's end nobody asked for.
          if room[index] == 0 { return index == count - 1 && written == sent.count ? answer : nil }
          answer.append(room[index])
        }
        if answer.count > limit { return nil }
      }
      if written < sent.count, waits[1].revents != 0 {
        let count = sent.withUnsafeBytes { bytes in
          bytes.baseAddress.map { write(input, $0 + written, bytes.count - written) } ?? 0
        }
        if count < 0, csystem_errno() != EINTR, csystem_errno() != EAGAIN { return nil }
        written += max(0, count)
      }
    }
  }
}
