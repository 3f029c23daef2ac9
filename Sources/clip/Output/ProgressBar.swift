import Glibc

/// A line on the terminal with the share done, the rate and the time left; nothing if standard error is not a terminal.
struct ProgressBar {
  let title: String
  let total: Int
  /// The work done before, which does not count for the rate.
  private let first: Int
  private let start = seconds()

  init(_ title: String, total: Int, from first: Int = 0) {
    self.title = title
    self.total = total
    self.first = first
    update(first)
  }

  /// `facts` replace the rate. On a narrow terminal the last ones are left out.
  func update(_ done: Int, _ facts: [String] = []) {
    guard Console.shared.isTerminal, total > 0 else { return }
    let elapsed = seconds() - start
    let share = Double(done) / Double(total)
    var (head, middle, tail) = ("\(title)  ", facts, "")
    let count = "\(done)/\(total)  \(Int(share * 100)) %"
    if done > first && elapsed > 0 {
      let rate = Double(done - first) / elapsed
      if facts.isEmpty { middle = ["\(fixed(rate, rate < 10 ? 2 : 0))/s"] }
      tail = "  \(clock(Double(total - done) / rate)) left"
    }
    let columns = max(Console.shared.columns - 1, 1)
    func line(_ bar: String = "") -> String { head + bar + ([count] + middle).joined(separator: "  ") + tail }
    while line().count > columns, middle.count > 1 {
      if head.isEmpty || middle.count == facts.count { middle.removeLast() } else { head = "" }
    }
    let length = min(columns - line().count - 4, 40)
    let filled = Int(share * Double(max(length, 0)))
    let bar =
      length < 5 ? "" : "[\(String(repeating: "=", count: filled))\(String(repeating: " ", count: length - filled))]  "
    Console.shared.show(String(line(bar).prefix(columns)))
  }

  func finish() {
    Console.shared.show("")
  }

}

/// Seconds as "0:07", "12:30" or "3:05:00".
func clock(_ seconds: Double) -> String {
  let whole = Int(min(max(seconds, 0).rounded(.up), 359_999))
  let pad = { (value: Int) in value < 10 ? "0\(value)" : "\(value)" }
  return whole < 3600
    ? "\(whole / 60):\(pad(whole % 60))"
    : "\(whole / 3600):\(pad(whole / 60 % 60)):\(pad(whole % 60))"
}

/// A monotonic clock.
func seconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
