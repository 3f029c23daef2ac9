import Synchronization

/// Weights that stay in their file until their second use, which loads them. The first takes what it needs from the
/// `Source` itself: a process that embeds one image then never fills memory of the weights' size, which can take
/// longer than to embed it.
final class DeferredLoad<Source> {
  private let state: Atomic<Int>
  private let mutex = Mutex()
  private var source: Source?

  private static var unused: Int { 0 }
  private static var used: Int { 1 }
  private static var loaded: Int { 2 }

  /// nil for weights that are loaded.
  init(_ source: Source?) {
    self.source = source
    state = Atomic(source == nil ? Self.loaded : Self.unused)
  }

  /// The source, for the first user of what is not loaded; nil for all others.
  func firstUse() -> Source? {
    guard state.compareExchange(expected: Self.unused, desired: Self.used, ordering: .relaxed).exchanged else {
      return nil
    }
    mutex.lock()
    defer { mutex.unlock() }
    return source
  }

  /// Has `load` called unless that was done; other callers wait. It is not given the host's threads: a host's loop may
  /// begin another of its calls meanwhile on the same thread, which would wait for itself.
  func finish(_ threads: ThreadPool, _ load: (Source, ThreadPool?) throws(ClipError) -> Void) throws(ClipError) {
    if state.load(ordering: .acquiring) == Self.loaded { return }
    mutex.lock()
    defer { mutex.unlock() }
    guard let source else { return }
    try load(source, threads.isHosts ? nil : threads)
    self.source = nil
    state.store(Self.loaded, ordering: .releasing)
  }
}
