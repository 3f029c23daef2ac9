import CClip
import CSystem
import Synchronization

/// A library loaded with dlopen, and the descriptor that it was loaded from.
///
/// If memory runs out, glibc's dlclose stops half-way, keeps the library and unloads none from then on. So a library
/// that is to be unloaded while there is no memory waits for a later unload; and no name is used twice with dlopen,
/// which would return the library that was kept.
final class LoadedLibrary {
  private let handle: UnsafeMutableRawPointer
  private let descriptor: Int32
  private var next: LoadedLibrary?

  private static let names = Atomic<UInt>(1)
  nonisolated(unsafe) private static let lock = Mutex()
  nonisolated(unsafe) private static var waiting: LoadedLibrary?

  init(_ handle: UnsafeMutableRawPointer, _ descriptor: Int32) {
    self.handle = handle
    self.descriptor = descriptor
  }

  /// A path of an open file that no other call returns: "/" and "./" in it encode the bits of a number.
  static func newName(of descriptor: Int32) -> String {
    var number = names.wrappingAdd(1, ordering: .relaxed).oldValue
    var name = "/proc/self/fd/"
    while number > 0 {
      name += number & 1 == 0 ? "/" : "./"
      number >>= 1
    }
    return name + "\(descriptor)"
  }

  /// Unloads this library and the waiting ones, if there is memory.
  func unload() {
    LoadedLibrary.lock.lock()
    next = LoadedLibrary.waiting
    LoadedLibrary.waiting = self
    var list: LoadedLibrary?
    if LoadedLibrary.hasMemory {
      list = LoadedLibrary.waiting
      LoadedLibrary.waiting = nil
    }
    LoadedLibrary.lock.unlock()
    while let library = list {
      list = library.next
      dlclose(library.handle)
      close(library.descriptor)
    }
  }

  private static var hasMemory: Bool {
    guard clip_reserve_is_low() == 0, let block = clip_reserve_system_block(1 << 14, 64) else { return false }
    free(block)
    return true
  }
}
