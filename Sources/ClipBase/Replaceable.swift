/// An object that is replaced while others use it. Readers take a reference, which keeps what they
/// got alive; the lock is held for that alone.
package final class Replaceable<Object: AnyObject> {
  private let mutex = Mutex()
  private var object: Object

  package init(_ object: Object) { self.object = object }

  package var current: Object {
    mutex.lock()
    defer { mutex.unlock() }
    return object
  }

  /// The former object is released after the lock, by its last user.
  package func replace(with next: Object) {
    mutex.lock()
    let former = object
    object = next
    mutex.unlock()
    withExtendedLifetime(former) {}
  }
}
