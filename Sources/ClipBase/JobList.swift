import CSystem
import Synchronization

/// A job whose pieces are taken one by one. It lives on the stack of the thread that runs it; workers that help read
/// it.
package struct Job: ~Copyable {
  package let count: Int
  package let context: UnsafeMutableRawPointer
  package let call: (UnsafeMutableRawPointer, Int) -> Void
  private let next = Atomic<Int>(0)
  /// Workers inside `drain`. Increased under the list's mutex only, while the job is listed.
  fileprivate let helpers = Atomic<Int>(0)

  package init(count: Int, context: UnsafeMutableRawPointer, call: @escaping (UnsafeMutableRawPointer, Int) -> Void) {
    self.count = count
    self.context = context
    self.call = call
  }

  fileprivate func drain() {
    while true {
      let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
      if index >= count { return }
      call(context, index)
    }
  }

  fileprivate var isOpen: Bool { next.load(ordering: .relaxed) < count }
}

/// The open jobs of a thread pool, on which idle workers wait.
package final class JobList {
  /// The number of running calls.
  package let calls = Atomic<Int>(0)
  /// The number of jobs ever opened, watched by workers that wait without sleeping.
  private let opened = Atomic<Int>(0)
  private let state: UnsafeMutablePointer<State>

  /// A job's entry in the list, also on the stack. Used under the mutex only.
  private struct Entry {
    let job: UnsafeMutablePointer<Job>
    var following: UnsafeMutablePointer<Entry>?
  }

  /// Kept in memory that a forked child finds zeroed: an open lock, no waiters and no jobs. The child has no workers,
  /// and one may have held the lock.
  private struct State {
    var mutex = pthread_mutex_t()
    var work = pthread_cond_t()
    var done = pthread_cond_t()
    var hasWorkers = false
    var isStopping = false
    var sleepers = 0
    var first: UnsafeMutablePointer<Entry>?

    mutating func open(_ entry: UnsafeMutablePointer<Entry>) {
      entry.pointee.following = first
      first = entry
    }

    mutating func close(_ entry: UnsafeMutablePointer<Entry>) {
      if first == entry {
        first = entry.pointee.following
        return
      }
      var at = first
      while let current = at {
        if current.pointee.following == entry {
          current.pointee.following = entry.pointee.following
          return
        }
        at = current.pointee.following
      }
    }

    /// The oldest job with pieces left, so that callers are served in turn.
    func oldest() -> UnsafeMutablePointer<Job>? {
      var found: UnsafeMutablePointer<Job>?
      var at = first
      while let current = at {
        if current.pointee.job.pointee.isOpen { found = current.pointee.job }
        at = current.pointee.following
      }
      return found
    }
  }

  package convenience init() throws(ClipError) {
    guard let memory = csystem_map_wiped(MemoryLayout<State>.size) else { throw systemError("cannot map a job list") }
    self.init(memory.bindMemory(to: State.self, capacity: 1))
  }

  private init(_ state: UnsafeMutablePointer<State>) {
    self.state = state
    state.initialize(to: State())
    pthread_mutex_init(&state.pointee.mutex, nil)
    pthread_cond_init(&state.pointee.work, nil)
    pthread_cond_init(&state.pointee.done, nil)
  }

  /// All workers have ended by now.
  deinit {
    pthread_cond_destroy(&state.pointee.work)
    pthread_cond_destroy(&state.pointee.done)
    pthread_mutex_destroy(&state.pointee.mutex)
    munmap(state, MemoryLayout<State>.size)
  }

  /// Whether worker threads run `work`; false in a forked child.
  package var hasWorkers: Bool {
    get { state.pointee.hasWorkers }
    set { state.pointee.hasWorkers = newValue }
  }

  private func lock() { pthread_mutex_lock(&state.pointee.mutex) }
  private func unlock() { pthread_mutex_unlock(&state.pointee.mutex) }

  /// Spinning pays only while one call has the machine to itself.
  private func waitAwake(until isOver: () -> Bool) {
    var turns = 0
    while turns < 4096, calls.load(ordering: .relaxed) == 1, !isOver() {
      csystem_pause()
      turns += 1
    }
  }

  /// Runs `job` with the help of workers, until all of it is done.
  package func run(_ job: UnsafeMutablePointer<Job>) {
    var entry = Entry(job: job)
    withUnsafeMutablePointer(to: &entry) { entry in
      lock()
      state.pointee.open(entry)
      opened.wrappingAdd(1, ordering: .relaxed)
      if state.pointee.sleepers > 0 { pthread_cond_broadcast(&state.pointee.work) }
      unlock()

      job.pointee.drain()

      lock()
      state.pointee.close(entry)
      unlock()
      waitAwake { job.pointee.helpers.load(ordering: .acquiring) == 0 }
      if job.pointee.helpers.load(ordering: .acquiring) == 0 { return }
      lock()
      while job.pointee.helpers.load(ordering: .acquiring) > 0 {
        pthread_cond_wait(&state.pointee.done, &state.pointee.mutex)
      }
      unlock()
    }
  }

  /// The loop of a worker thread, until `stop`.
  package func work() {
    lock()
    while !state.pointee.isStopping {
      if let job = state.pointee.oldest() {
        job.pointee.helpers.wrappingAdd(1, ordering: .relaxed)
        unlock()
        job.pointee.drain()
        lock()
        // The job may be freed as soon as its last helper leaves.
        if job.pointee.helpers.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 {
          pthread_cond_broadcast(&state.pointee.done)
        }
        continue
      }
      let seen = opened.load(ordering: .relaxed)
      unlock()
      waitAwake { opened.load(ordering: .relaxed) != seen }
      lock()
      if opened.load(ordering: .relaxed) == seen, !state.pointee.isStopping {
        state.pointee.sleepers += 1
        pthread_cond_wait(&state.pointee.work, &state.pointee.mutex)
        state.pointee.sleepers -= 1
      }
    }
    unlock()
  }

  package func stop() {
    lock()
    state.pointee.isStopping = true
    pthread_cond_broadcast(&state.pointee.work)
    unlock()
  }
}
