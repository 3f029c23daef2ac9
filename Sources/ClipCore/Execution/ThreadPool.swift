import CClip
import CSystem
import Synchronization

/// Something cut into pieces that may run at once, on any threads.
protocol Work {
  func part(_ piece: Int)
}

/// Worker threads that any number of calling threads share. The caller of `run` works on its own
/// job; workers help whichever jobs are open, and sleep on a condition when there are none.
///
/// `run` may be called from several threads at once, not from inside a task.
final class ThreadPool {
  /// In how many threads one job is computed at most, the caller among them.
  let width: Int
  private let hostLoop: clip_parallel_for_fn?
  private let hostUser: UnsafeMutableRawPointer?
  private let state: UnsafeMutablePointer<PoolState>
  private var workers: [pthread_t] = []

  convenience init(threads: Int, hostLoop: clip_parallel_for_fn?, hostUser: UnsafeMutableRawPointer?) throws(ClipError) {
    self.init(width: max(1, threads), hostLoop, hostUser)
    if hostLoop == nil, width > 1 { try start(width - 1) }
  }

  private init(width: Int, _ hostLoop: clip_parallel_for_fn?, _ hostUser: UnsafeMutableRawPointer?) {
    self.width = width
    self.hostLoop = hostLoop
    self.hostUser = hostUser
    state = .allocate(capacity: 1)
    state.initialize(to: PoolState())
    pthread_mutex_init(&state.pointee.mutex, nil)
    pthread_cond_init(&state.pointee.work, nil)
    pthread_cond_init(&state.pointee.done, nil)
  }

  private func start(_ count: Int) throws(ClipError) {
    workers.reserveCapacity(count)
    for _ in 0..<count {
      var thread = pthread_t()
      let code = pthread_create(&thread, nil, { context in
        guard let context else { return nil }
        PoolState.work(context.assumingMemoryBound(to: PoolState.self))
        return nil
      }, state)
      guard code == 0 else {
        // deinit ends the threads that did start.
        throw ClipError(CLIP_OUT_OF_MEMORY, "threads: expected to start \(count), the system refused after \(workers.count)")
      }
      workers.append(thread)
    }
  }

  deinit {
    pthread_mutex_lock(&state.pointee.mutex)
    state.pointee.isStopping = true
    pthread_cond_broadcast(&state.pointee.work)
    pthread_mutex_unlock(&state.pointee.mutex)
    for worker in workers { pthread_join(worker, nil) }
    pthread_cond_destroy(&state.pointee.work)
    pthread_cond_destroy(&state.pointee.done)
    pthread_mutex_destroy(&state.pointee.mutex)
    state.deinitialize(count: 1)
    state.deallocate()
  }

  /// Calls work.part(i) for every i in [0, count), and returns when all have returned. Takes no memory.
  func run<W: Work>(_ count: Int, _ work: W) {
    if count <= 1 || width <= 1 {
      for index in 0..<max(0, count) { work.part(index) }
      return
    }
    var work = work
    withUnsafeMutablePointer(to: &work) { work in
      var job = Job(count: count, context: UnsafeMutableRawPointer(work)) { context, index in
        context.assumingMemoryBound(to: W.self).pointee.part(index)
      }
      withUnsafeMutablePointer(to: &job) { job in
        if let hostLoop {
          hostLoop(hostUser, count, { context, index in
            guard let job = context?.assumingMemoryBound(to: Job.self) else { return }
            job.pointee.call(job.pointee.context, index)
          }, job)
        } else {
          share(job)
        }
      }
    }
  }

  private func share(_ job: UnsafeMutablePointer<Job>) {
    var entry = Entry(job: job)
    withUnsafeMutablePointer(to: &entry) { entry in
      pthread_mutex_lock(&state.pointee.mutex)
      state.pointee.open(entry)
      pthread_cond_broadcast(&state.pointee.work)
      pthread_mutex_unlock(&state.pointee.mutex)

      job.pointee.drain()

      pthread_mutex_lock(&state.pointee.mutex)
      state.pointee.close(entry)
      while entry.pointee.helpers > 0 { pthread_cond_wait(&state.pointee.done, &state.pointee.mutex) }
      pthread_mutex_unlock(&state.pointee.mutex)
    }
  }
}

/// A job on the stack of the thread that called `run`, read by all who work on it.
private struct Job: ~Copyable {
  let count: Int
  let context: UnsafeMutableRawPointer
  let call: (UnsafeMutableRawPointer, Int) -> Void
  let next = Atomic<Int>(0)

  init(count: Int, context: UnsafeMutableRawPointer, call: @escaping (UnsafeMutableRawPointer, Int) -> Void) {
    self.count = count
    self.context = context
    self.call = call
  }

  func drain() {
    while true {
      let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
      if index >= count { return }
      call(context, index)
    }
  }

  var isOpen: Bool { next.load(ordering: .relaxed) < count }
}

/// A job's place in the pool's list, beside it on the stack; touched under the pool's mutex alone.
/// It stays in the list while indices are left, and on the stack until its last helper has left.
private struct Entry {
  let job: UnsafeMutablePointer<Job>
  var helpers = 0
  var following: UnsafeMutablePointer<Entry>?
}

private struct PoolState {
  var mutex = pthread_mutex_t()
  var work = pthread_cond_t()
  var done = pthread_cond_t()
  var isStopping = false
  var jobs: UnsafeMutablePointer<Entry>?

  mutating func open(_ entry: UnsafeMutablePointer<Entry>) {
    entry.pointee.following = jobs
    jobs = entry
  }

  mutating func close(_ entry: UnsafeMutablePointer<Entry>) {
    if jobs == entry {
      jobs = entry.pointee.following
      return
    }
    var at = jobs
    while let current = at {
      if current.pointee.following == entry {
        current.pointee.following = entry.pointee.following
        return
      }
      at = current.pointee.following
    }
  }

  /// The oldest open job, so that callers are served in turn.
  func next() -> UnsafeMutablePointer<Entry>? {
    var found: UnsafeMutablePointer<Entry>?
    var at = jobs
    while let current = at {
      if current.pointee.job.pointee.isOpen { found = current }
      at = current.pointee.following
    }
    return found
  }

  /// A worker's life.
  static func work(_ state: UnsafeMutablePointer<PoolState>) {
    pthread_mutex_lock(&state.pointee.mutex)
    while !state.pointee.isStopping {
      guard let entry = state.pointee.next() else {
        pthread_cond_wait(&state.pointee.work, &state.pointee.mutex)
        continue
      }
      entry.pointee.helpers += 1
      let job = entry.pointee.job
      pthread_mutex_unlock(&state.pointee.mutex)
      job.pointee.drain()
      pthread_mutex_lock(&state.pointee.mutex)
      entry.pointee.helpers -= 1
      if entry.pointee.helpers == 0 { pthread_cond_broadcast(&state.pointee.done) }
    }
    pthread_mutex_unlock(&state.pointee.mutex)
  }
}
