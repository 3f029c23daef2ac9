/// A kernel set, and the threads that share its work.
struct Executor {
  let kernels: Kernels
  /// nil: all work runs on the calling thread.
  let threads: ThreadPool?

  /// The number of threads that work is divided for.
  var width: Int { threads == nil ? 1 : kernels.threads }

  func run<W: Work>(_ pieces: Int, _ work: W) {
    if let threads { return threads.run(pieces, work) }
    for piece in 0..<pieces { work.part(piece) }
  }
}
