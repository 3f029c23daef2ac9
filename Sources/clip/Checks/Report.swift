import CClip

/// What a check has to say about one thing.
enum Verdict: String {
  case pass, fail
  /// Nothing wrong, and worth knowing.
  case note
}

struct Finding {
  let verdict: Verdict
  let check: String
  let text: String
}

/// Where a check that runs in a process of its own writes what it finds, line by line, so that a
/// crash does not take what was found before it.
final class Report {
  private let check: String
  /// What `require` was asked and found true, for the one line that says so.
  private(set) var failures = 0

  init(_ check: String) { self.check = check }

  func pass(_ text: String) throws(CLIPError) { try line(.pass, text) }
  func note(_ text: String) throws(CLIPError) { try line(.note, text) }
  func fail(_ text: String) throws(CLIPError) {
    failures += 1
    try line(.fail, text)
  }

  /// A failure unless `isTrue`; `pass` says later that all was well.
  func require(_ isTrue: Bool, _ text: @autoclosure () -> String) throws(CLIPError) {
    if !isTrue { try fail(text()) }
  }

  private func line(_ verdict: Verdict, _ text: String) throws(CLIPError) {
    try StandardOutput.write("\(Report.mark)\t\(verdict.rawValue)\t\(check)\t\(visible(text))\n")
  }

  /// A thing that the plugin brings, for the checks to come.
  static func item(_ index: Int, _ kind: UInt32, _ id: String) throws(CLIPError) {
    try StandardOutput.write("\(mark)\titem\t\(index)\t\(kind)\t\(visible(id))\n")
  }

  /// Tells a report's lines from whatever else a plugin prints.
  static let mark = "clip-check"
}
