/// Where products are computed: a kernel set, and the threads that share the work.
struct Executor {
  let kernels: Kernels
  /// nil: everything on the calling thread.
  let threads: ThreadPool?

  /// Threads that work is cut for.
  var width: Int { threads == nil ? 1 : kernels.threads }

  func run<W: Work>(_ pieces: Int, _ work: W) {
    if let threads { return threads.run(pieces, work) }
    for piece in 0..<pieces { work.part(piece) }
  }
}
