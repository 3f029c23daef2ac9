import Glibc

/// Runs a check in its own process: a crash, an exit or a hang of the plugin is a result.
struct CheckProcess {
  let file: ByteString
  /// The arguments after the file and the check.
  let options: [ByteString]
  private static let secondsAtMost = 120

  struct Item {
    let index: Int
    let kind: UInt32
    let id: String
  }

  struct Outcome {
    var findings: [Finding] = []
    var items: [Item] = []
  }

  /// Runs this program for one check and reads its report.
  func run(_ check: String, scratch: ByteString) throws(CLIPError) -> Outcome {
    let output = scratch.appending(Array("report".utf8))
    let arguments =
      [ByteString("clip"), "plugins", "check", "--only", ByteString(check), "--scratch", scratch] + options + [
        "--", file,
      ]
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    _ = output.withCString {
      posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, $0, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    }
    let words = scratch.appending(Array("errors".utf8))
    _ = words.withCString {
      posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, $0, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    }
    var process = pid_t()
    var copies = arguments.map { argument in argument.withCString { strdup($0) } } + [nil]
    defer { for copy in copies { free(copy) } }
    guard posix_spawn(&process, "/proc/self/exe", &actions, nil, &copies, environ) == 0 else {
      throw CLIPError.system("cannot start a process for the check \(check)")
    }
    let ending = wait(for: process)
    var outcome = parse(try readFile(output))
    if let ending {
      outcome.findings.append(Finding(verdict: .fail, check: check, text: ending))
    } else if outcome.findings.isEmpty {
      // The process exited without a report: its standard error is the reason.
      let text = String(decoding: try readFile(words), as: UTF8.self)
      let first = text.split(separator: "\n").last.map(String.init) ?? "the process said nothing"
      outcome.findings.append(Finding(verdict: .fail, check: check, text: first))
    }
    return outcome
  }

  /// How a process failed; nil on success. A process that hangs is killed.
  private func wait(for process: pid_t) -> String? {
    var status: Int32 = 0
    for _ in 0..<(CheckProcess.secondsAtMost * 100) {
      let done = waitpid(process, &status, WNOHANG)
      if done == process {
        let signal = status & 0x7f
        if signal != 0 { return "crashed: \(string(strsignal(signal)))" }
        // 0 and 1 are this program's own codes.
        let code = (status >> 8) & 0xff
        return code <= 1 ? nil : "ended the process with code \(code)"
      }
      if done < 0 && errno != EINTR { return "the process was lost" }
      usleep(10_000)
    }
    kill(process, SIGKILL)
    waitpid(process, &status, 0)
    return "hung: ended after \(CheckProcess.secondsAtMost) seconds"
  }

  private func parse(_ bytes: [UInt8]) -> Outcome {
    var outcome = Outcome()
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      let fields = line.split(separator: "\t", maxSplits: 4, omittingEmptySubsequences: false).map(String.init)
      guard fields.first == Report.mark, fields.count >= 4 else { continue }
      if fields[1] == "item", fields.count == 5, let index = Int(fields[2]), let kind = UInt32(fields[3]) {
        outcome.items.append(Item(index: index, kind: kind, id: fields[4]))
      } else if let verdict = Verdict(rawValue: fields[1]) {
        outcome.findings.append(Finding(verdict: verdict, check: fields[2], text: fields[3...].joined(separator: "\t")))
      }
    }
    return outcome
  }
}

extension ByteString: ExpressibleByStringLiteral {
  init(stringLiteral value: String) { self.init(value) }
}
