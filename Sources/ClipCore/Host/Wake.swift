import CClip
import CSystem

/// Wakes a thread that polls files. A wake-up before the wait is not lost.
final class Wake {
  let descriptor: Int32

  convenience init() throws(ClipError) {
    let descriptor = csystem_above_standard(eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)))
    guard descriptor >= 0 else { throw systemError("cannot make an event") }
    self.init(descriptor)
  }

  private init(_ descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  func raise() {
    // Fails only if the counter is full: then it is raised already.
    _ = eventfd_write(descriptor, 1)
  }

  func lower() {
    var count: UInt64 = 0
    _ = eventfd_read(descriptor, &count)
  }
}
