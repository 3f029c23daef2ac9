import CClip
import CSystem
import Synchronization

/// Work in pieces, which may run at once on any threads.
package protocol Work {
  func part(_ piece: Int)
}

extension Int {
  /// The part of [0, self) that belongs to piece `piece` of `pieces`.
  package func share(_ piece: Int, of pieces: Int) -> Range<Int> {
    (piece * self / pieces)..<((piece + 1) * self / pieces)
  }
}

/// Worker threads that any number of calling threads share. The caller of `run` works on its own
/// job; workers help whichever jobs are open, and sleep when no call is running.
///
/// `run` may be called from several threads at once, not from inside a piece of work. In a forked child, which has no
/// workers, the caller does all of it.
package final class ThreadPool {
  /// The most threads that work on one job, the caller's included.
  package let width: Int
  /// Whether the threads are the host's.
  package var isHosts: Bool { hostLoop != nil }
  private let hostLoop: clip_parallel_for_fn?
  private let hostUser: UnsafeMutableRawPointer?
  private let jobs: JobList
  private var workers: [pthread_t] = []

  package convenience init(threads: Int, hostLoop: clip_parallel_for_fn?, hostUser: UnsafeMutableRawPointer?)
    throws(ClipError)
  {
    self.init(width: max(1, threads), try JobList(), hostLoop, hostUser)
    if hostLoop == nil, width > 1 { try start(width - 1) }
  }

  private init(
    width: Int, _ jobs: JobList, _ hostLoop: clip_parallel_for_fn?, _ hostUser: UnsafeMutableRawPointer?
  ) {
    self.width = width
    self.jobs = jobs
    self.hostLoop = hostLoop
    self.hostUser = hostUser
  }

  private func start(_ count: Int) throws(ClipError) {
    workers.reserveCapacity(count)
    // If starting fails, deinit ends the threads that did start.
    defer { jobs.hasWorkers = !workers.isEmpty }
    try startThreads(count, "threads", adding: &workers, Unmanaged.passUnretained(jobs).toOpaque()) { jobs in
      if let jobs { Unmanaged<JobList>.fromOpaque(jobs).takeUnretainedValue().work() }
      return nil
    }
  }

  deinit {
    guard jobs.hasWorkers else { return }
    jobs.stop()
    for worker in workers { pthread_join(worker, nil) }
  }

  /// Called before and after the jobs of a call. Between jobs workers spin for a moment, which costs less than sleep
  /// and wake-up.
  package func beginCall() { jobs.calls.wrappingAdd(1, ordering: .relaxed) }
  package func endCall() { jobs.calls.wrappingSubtract(1, ordering: .relaxed) }

  /// Calls work.part(i) for every i in [0, count) and returns when all calls have. Allocates nothing.
  package func run<W: Work>(_ count: Int, _ work: W) {
    var work = work
    withUnsafeMutablePointer(to: &work) { work in
      run(count, UnsafeMutableRawPointer(work)) { context, index in
        context.assumingMemoryBound(to: W.self).pointee.part(index)
      }
    }
  }

  private func run(
    _ count: Int, _ context: UnsafeMutableRawPointer, _ call: @escaping (UnsafeMutableRawPointer, Int) -> Void
  ) {
    if count <= 1 || width <= 1 {
      for index in 0..<max(0, count) { call(context, index) }
      return
    }
    var job = Job(count: count, context: context, call: call)
    withUnsafeMutablePointer(to: &job) { job in
      guard let hostLoop else { return jobs.run(job) }
      hostLoop(
        hostUser, count,
        { context, index in
          guard let job = context?.assumingMemoryBound(to: Job.self) else { return }
          let thread = csystem_enter()
          defer { csystem_leave(thread) }
          job.pointee.call(job.pointee.context, index)
        }, job)
    }
  }
}
