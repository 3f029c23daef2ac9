/// Counts of one thread.
enum Checks {
  nonisolated(unsafe) static var passed = 0
  nonisolated(unsafe) static var failed = 0
}

func check(_ condition: Bool, _ what: @autoclosure () -> String, line: Int = #line) {
  if condition {
    Checks.passed += 1
  } else {
    Checks.failed += 1
    print("FAILED line \(line): " + what())
  }
}
