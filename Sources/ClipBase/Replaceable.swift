/// An object that is replaced while others use it. A reader copies a reference, which keeps the object alive; the lock
/// is held only for that copy.
package final class Replaceable<Object: AnyObject> {
  private let mutex = Mutex()
  private var object: Object

  package init(_ object: Object) { self.object = object }

  package var current: Object {
    mutex.lock()
    defer { mutex.unlock() }
    return object
  }

  /// The old object is freed by its last user, outside the lock.
  package func replace(with next: Object) {
    mutex.lock()
    let former = object
    object = next
    mutex.unlock()
    withExtendedLifetime(former) {}
  }
}
