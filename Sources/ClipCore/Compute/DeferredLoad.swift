import Synchronization

/// Weights that stay in their file until their second use, which loads them. The first use reads what it needs from
/// `Source`. So a process that embeds one image does not fill memory of the weights' size, which can take longer than
/// the embedding.
final class DeferredLoad<Source> {
  private let state: Atomic<Int>
  private let mutex = Mutex()
  private var source: Source?

  private static var unused: Int { 0 }
  private static var used: Int { 1 }
  private static var loaded: Int { 2 }

  /// nil if the weights are loaded.
  init(_ source: Source?) {
    self.source = source
    state = Atomic(source == nil ? Self.loaded : Self.unused)
  }

  /// Returns the source to the first user of weights that are not loaded, nil to all others.
  func firstUse() -> Source? {
    guard state.compareExchange(expected: Self.unused, desired: Self.used, ordering: .relaxed).exchanged else {
      return nil
    }
    mutex.lock()
    defer { mutex.unlock() }
    return source
  }

  /// Calls `load` unless that was done; other callers wait. It gets no threads that belong to the host: the host's loop
  /// could run another of its calls on the same thread meanwhile, which would wait for itself.
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
