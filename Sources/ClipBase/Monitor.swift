import CSystem

/// A mutex with a condition variable.
package final class Monitor {
  private struct Raw {
    var mutex = pthread_mutex_t()
    var changed = pthread_cond_t()
  }

  private let raw: UnsafeMutablePointer<Raw>

  package init() {
    raw = .allocate(capacity: 1)
    raw.initialize(to: Raw())
    pthread_mutex_init(&raw.pointee.mutex, nil)
    pthread_cond_init(&raw.pointee.changed, nil)
  }

  deinit {
    pthread_cond_destroy(&raw.pointee.changed)
    pthread_mutex_destroy(&raw.pointee.mutex)
    raw.deallocate()
  }

  package func lock() { pthread_mutex_lock(&raw.pointee.mutex) }
  package func unlock() { pthread_mutex_unlock(&raw.pointee.mutex) }
  /// Releases the lock, sleeps until a change or spuriously, and takes the lock again.
  package func wait() { pthread_cond_wait(&raw.pointee.changed, &raw.pointee.mutex) }
  package func tellAll() { pthread_cond_broadcast(&raw.pointee.changed) }
}
