import ArgumentParser

/// Ends a command after its results are written: exit code 1 if images were left out.
func finish(skipped: [Skipped], of total: Int) throws {
  guard !skipped.isEmpty else { return }
  Console.shared.line("\(skipped.count) of \(counted(total, "image")) skipped.")
  throw ExitCode(1)
}
