import CClip
import CSystem

/// What became of a step, and the position after it.
struct Delivery {
  let outcome: Outcome
  let position: SamplePosition
}

/// Samples that workers make ahead of the caller, given out in the order of the sequence whichever
/// worker was faster. At most `capacity` are made or being made.
final class SampleQueue {
  private let maker: SampleMaker
  /// Guards `order`. It is held while the number of a step is drawn, so that numbers follow the order.
  private let ordering = Mutex()
  private let order: SampleOrder

  /// Guards what is below.
  private let monitor = Monitor()
  /// Ring: the step of number n is at n modulo the capacity; nil until it is made.
  private var slots: [Delivery?]
  private var taken = 0
  private var given = 0
  private var isStopping = false
  private var waited = 0

  init(_ maker: SampleMaker, _ order: SampleOrder, capacity: Int) {
    self.maker = maker
    self.order = order
    slots = [Delivery?](repeating: nil, count: capacity)
  }

  /// The next step, waited for.
  func next() -> Delivery {
    monitor.lock()
    defer { monitor.unlock() }
    let slot = given % slots.count
    var delivery = slots[slot]
    if delivery == nil {
      let start = csystem_now()
      while delivery == nil {
        monitor.wait()
        delivery = slots[slot]
      }
      waited += Int(csystem_now() - start)
    }
    slots[slot] = nil
    given += 1
    monitor.tellAll()
    // The loop above ends with one alone.
    return delivery ?? Delivery(outcome: .end, position: SamplePosition())
  }

  /// Nanoseconds that the caller has waited.
  var waitedNanoseconds: Int {
    monitor.lock()
    defer { monitor.unlock() }
    return waited
  }

  /// A worker's life, until `stop`.
  func work() {
    while let (number, step, position) = take() {
      put(number, Delivery(outcome: make(step, position), position: position))
    }
  }

  func stop() {
    order.stop()
    monitor.lock()
    isStopping = true
    monitor.tellAll()
    monitor.unlock()
  }

  private func take() -> (Int, SampleStep, SamplePosition)? {
    ordering.lock()
    defer { ordering.unlock() }
    monitor.lock()
    while !isStopping, taken - given >= slots.count { monitor.wait() }
    let number = taken
    taken += 1
    let isOver = isStopping
    monitor.unlock()
    if isOver { return nil }
    let (step, position) = order.next()
    return (number, step, position)
  }

  private func put(_ number: Int, _ delivery: Delivery) {
    monitor.lock()
    slots[number % slots.count] = delivery
    if number == given { monitor.tellAll() }
    monitor.unlock()
  }

  private func make(_ step: SampleStep, _ position: SamplePosition) -> Outcome {
    switch step {
    case .sample(let reference):
      let options = maker.options
      // No two samples of a run share a number, whichever part they are in.
      let number = (position.sequence &- 1) &* UInt64(options.parts) &+ UInt64(options.part)
      return maker.make(reference, number: number)
    case .damaged(let error): return .damaged(error)
    case .failed(let error): return .failed(error)
    case .endOfEpoch: return .endOfEpoch
    case .end: return .end
    }
  }
}

/// The workers of a queue, ended with their last reference.
final class SampleWorkers {
  let queue: SampleQueue
  private var threads: [pthread_t] = []
  /// A forked child has none of the threads.
  private let process = getpid()

  convenience init(_ queue: SampleQueue, count: Int) throws(ClipError) {
    self.init(queue)
    // deinit ends those that did start.
    try startThreads(count, "workers", adding: &threads, Unmanaged.passUnretained(queue).toOpaque()) { queue in
      if let queue { Unmanaged<SampleQueue>.fromOpaque(queue).takeUnretainedValue().work() }
      return nil
    }
  }

  private init(_ queue: SampleQueue) { self.queue = queue }

  deinit {
    guard getpid() == process else {
      // Whoever had its lock or waited is gone: it cannot even be freed.
      _ = Unmanaged.passRetained(queue)
      return
    }
    queue.stop()
    for thread in threads { pthread_join(thread, nil) }
  }
}
