import CClip
import CSystem

/// The steps of which workers make items, in order.
protocol ItemSource {
  associatedtype Step
  associatedtype Item

  /// Called by one thread at a time; also after the last item.
  func next() -> Step
  /// Called by any number of threads at once.
  func make(_ step: Step) -> Item
  /// Called once, while others are in `next` and `make`.
  func stop()
}

/// The work of each worker thread, until `stop`.
class WorkerTask {
  func work() {}
  func stop() {}
}

/// Items that workers make before the caller asks for them, given in the order of the source. At most `capacity` items
/// are made or being made.
final class OrderedQueue<Source: ItemSource>: WorkerTask {
  private let source: Source
  /// Held while a step and its number are drawn, so that numbers are in the order of the source.
  private let ordering = Mutex()

  /// Guards the properties below.
  private let monitor = Monitor()
  /// A ring: item n is at n modulo the capacity; nil until it is made.
  private var slots: [Source.Item?]
  private var taken = 0
  private var given = 0
  private var isStopping = false
  private var waited = 0

  convenience init(_ source: Source, capacity: Int) throws(ClipError) {
    var slots: [Source.Item?] = []
    try slots.reserve(capacity, for: "items made ahead")
    for _ in 0..<capacity { slots.append(nil) }
    self.init(source, slots)
  }

  private init(_ source: Source, _ slots: [Source.Item?]) {
    self.source = source
    self.slots = slots
  }

  /// Waits for the next item.
  func next() -> Source.Item {
    monitor.lock()
    defer { monitor.unlock() }
    let slot = given % slots.count
    var start: Int64?
    while true {
      if let item = slots[slot] {
        if let start { waited += Int(csystem_now() - start) }
        slots[slot] = nil
        given += 1
        monitor.tellAll()
        return item
      }
      if start == nil { start = csystem_now() }
      monitor.wait()
    }
  }

  /// Nanoseconds that the caller has waited.
  var waitedNanoseconds: Int {
    monitor.lock()
    defer { monitor.unlock() }
    return waited
  }

  override func work() {
    while let (number, step) = take() { put(number, source.make(step)) }
  }

  override func stop() {
    source.stop()
    monitor.lock()
    isStopping = true
    monitor.tellAll()
    monitor.unlock()
  }

  private func take() -> (Int, Source.Step)? {
    ordering.lock()
    defer { ordering.unlock() }
    monitor.lock()
    while !isStopping, taken - given >= slots.count { monitor.wait() }
    let number = taken
    taken += 1
    let isOver = isStopping
    monitor.unlock()
    return isOver ? nil : (number, source.next())
  }

  private func put(_ number: Int, _ item: Source.Item) {
    monitor.lock()
    slots[number % slots.count] = item
    if number == given { monitor.tellAll() }
    monitor.unlock()
  }
}

/// Threads that run a task. They end when this is freed.
final class Workers {
  private let task: WorkerTask
  private var threads: [pthread_t] = []
  /// Threads exist only in the process that started them, not in its forked children.
  private let process = getpid()

  convenience init(_ task: WorkerTask, count: Int) throws(ClipError) {
    self.init(task)
    // If one cannot start, deinit ends the others.
    try startThreads(count, "workers", adding: &threads, Unmanaged.passUnretained(task).toOpaque()) { task in
      if let task { Unmanaged<WorkerTask>.fromOpaque(task).takeUnretainedValue().work() }
      return nil
    }
  }

  private init(_ task: WorkerTask) { self.task = task }

  deinit {
    guard getpid() == process else {
      // Threads of the parent may hold the task's locks, so the child never frees the task.
      _ = Unmanaged.passRetained(task)
      return
    }
    task.stop()
    for thread in threads { pthread_join(thread, nil) }
  }
}
