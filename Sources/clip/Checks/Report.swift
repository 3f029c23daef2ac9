import CClip

/// The result of one check.
enum Verdict: String {
  case pass, fail
  /// Good, and worth knowing.
  case note
}

struct Finding {
  let verdict: Verdict
  let check: String
  let text: String
}

/// Writes the results of a check that runs in its own process, line by line, so that a crash loses none.
final class Report {
  private let check: String
  /// The number of failures of `require`.
  private(set) var failures = 0

  init(_ check: String) { self.check = check }

  func pass(_ text: String) throws(CLIPError) { try line(.pass, text) }
  func note(_ text: String) throws(CLIPError) { try line(.note, text) }
  func fail(_ text: String) throws(CLIPError) {
    failures += 1
    try line(.fail, text)
  }

  /// Reports a failure unless `isTrue`. A later `pass` reports that all was good.
  func require(_ isTrue: Bool, _ text: @autoclosure () -> String) throws(CLIPError) {
    if !isTrue { try fail(text()) }
  }

  private func line(_ verdict: Verdict, _ text: String) throws(CLIPError) {
    try StandardOutput.write("\(Report.mark)\t\(verdict.rawValue)\t\(check)\t\(visible(text))\n")
  }

  /// Reports an item of the plugin, for later checks.
  static func item(_ index: Int, _ kind: UInt32, _ id: String) throws(CLIPError) {
    try StandardOutput.write("\(mark)\titem\t\(index)\t\(kind)\t\(visible(id))\n")
  }

  /// Marks the lines of a report among other output of a plugin.
  static let mark = "clip-check"
}
