import CSystem

/// A lock at a fixed address.
package final class Mutex {
  private let raw: UnsafeMutablePointer<pthread_mutex_t>

  package init() {
    raw = .allocate(capacity: 1)
    raw.initialize(to: pthread_mutex_t())
    pthread_mutex_init(raw, nil)
  }

  deinit {
    pthread_mutex_destroy(raw)
    raw.deallocate()
  }

  package func lock() { pthread_mutex_lock(raw) }
  package func unlock() { pthread_mutex_unlock(raw) }
}

/// A counter that any thread may increase.
package final class Counter {
  private let mutex = Mutex()
  private var count: UInt64 = 0

  package init() {}

  package var value: UInt64 {
    mutex.lock()
    defer { mutex.unlock() }
    return count
  }

  package func increment() {
    mutex.lock()
    defer { mutex.unlock() }
    count &+= 1
  }
}

/// A pool of objects, each used by one call at a time. It holds as many as calls ever ran at once, so a warm call makes
/// none.
package final class IdlePool<Item: AnyObject> {
  private let mutex = Mutex()
  private var idle: [Item] = []

  package init() {}

  /// An idle object; nil if all are in use.
  package func take() -> Item? {
    mutex.lock()
    defer { mutex.unlock() }
    return idle.popLast()
  }

  package func give(_ item: Item) {
    mutex.lock()
    defer { mutex.unlock() }
    idle.append(item)
  }
}
