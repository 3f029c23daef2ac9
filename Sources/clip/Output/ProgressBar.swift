import Glibc

/// A line on the terminal with the share done, the rate and the time left; nothing when standard error
/// is not a terminal.
struct ProgressBar {
  let title: String
  let total: Int
  /// What was done before it began, which is not for the rate.
  private let first: Int
  private let start = seconds()

  init(_ title: String, total: Int, from first: Int = 0) {
    self.title = title
    self.total = total
    self.first = first
    update(first)
  }

  /// `note` is shown in place of the rate.
  func update(_ done: Int, _ note: String? = nil) {
    guard Console.shared.isTerminal, total > 0 else { return }
    let elapsed = seconds() - start
    let share = Double(done) / Double(total)
    var facts = "\(done)/\(total)  \(Int(share * 100)) %"
    if done > first && elapsed > 0 {
      let rate = Double(done - first) / elapsed
      facts += "  \(note ?? "\(fixed(rate, rate < 10 ? 2 : 0))/s")  \(clock(Double(total - done) / rate)) left"
    }
    let room = Console.shared.columns - title.count - facts.count - 7
    let length = min(max(room, 0), 40)
    let filled = Int(share * Double(length))
    let bar = String(repeating: "=", count: filled) + String(repeating: " ", count: length - filled)
    let line = length < 5 ? "\(title)  \(facts)" : "\(title)  [\(bar)]  \(facts)"
    Console.shared.show(String(line.prefix(max(Console.shared.columns - 1, 1))))
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

/// Seconds of a clock that never goes back.
func seconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
