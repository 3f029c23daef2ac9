import Glibc

/// Decodes and preprocesses images on threads of its own, one batch ahead of the one that the caller encodes, so that
/// encoding does not wait for files and memory stays bounded however many images there are.
final class ImageLoader: @unchecked Sendable {
  /// Some of the images, in order.
  struct Batch {
    /// In `paths`, of those whose pixels are there.
    var indices: [Int] = []
    /// `[indices.count, 3, height, width]`
    var pixels: [Float] = []
    var failed: [(index: Int, reason: String)] = []
  }

  private let model: Model
  private let paths: [ByteString]
  private let batch: Int
  private let options: EncodeOptions
  private let lock = Lock()
  private var threads: [pthread_t] = []

  // Guarded by the lock.
  /// Of the batch after the last one taken; nil: not loaded yet.
  private var loaded: [Result<[Float], CLIPError>?]
  private var count = 0
  private var first = 0
  private var next = 0
  private var isStopping = false

  init(
    _ model: Model, _ paths: [ByteString], batch: Int, threads count: Int, options: EncodeOptions
  ) throws(CLIPError) {
    self.model = model
    self.paths = paths
    self.batch = min(batch, max(paths.count, 1))
    self.options = options
    loaded = Array(repeating: nil, count: self.batch)
    for _ in 0..<min(count, paths.count) {
      var thread = pthread_t()
      let code = pthread_create(
        &thread, nil,
        { argument in
          if let argument { Unmanaged<ImageLoader>.fromOpaque(argument).takeUnretainedValue().work() }
          return nil
        }, Unmanaged.passUnretained(self).toOpaque())
      if code == 0 {
        threads.append(thread)
      } else if threads.isEmpty {
        throw .system("cannot start a thread", code)
      }
    }
  }

  /// Ends the loading threads; to be called once, before the last reference goes.
  func stop() {
    lock.locked {
      isStopping = true
      lock.wake()
    }
    for thread in threads { pthread_join(thread, nil) }
    threads = []
  }

  /// Waits for the next batch; nil after the last.
  func take() -> Batch? {
    let (first, results): (Int, [Result<[Float], CLIPError>?]) = lock.locked {
      let first = self.first
      let size = min(batch, paths.count - first)
      while count < size { lock.wait() }
      var results = Array(repeating: Result<[Float], CLIPError>?.none, count: batch)
      swap(&results, &loaded)
      count = 0
      self.first += size
      lock.wake()
      return (first, Array(results.prefix(size)))
    }
    guard !results.isEmpty else { return nil }
    var taken = Batch()
    taken.pixels.reserveCapacity(results.count * model.info.pixelCount)
    for (slot, result) in results.enumerated() {
      switch result {
      case .success(let pixels)?:
        taken.indices.append(first + slot)
        taken.pixels += pixels
      case .failure(let error)?: taken.failed.append((first + slot, error.message))
      case nil: break
      }
    }
    return taken
  }

  private func work() {
    while let index = claim() {
      let result = load(paths[index])
      lock.locked {
        loaded[index - first] = result
        count += 1
        lock.wake()
      }
    }
  }

  private func load(_ path: ByteString) -> Result<[Float], CLIPError> {
    do throws(CLIPError) {
      return .success(try model.preprocess([try Image(try path.utf8, runtime: model.runtime)], options: options))
    } catch {
      return .failure(error)
    }
  }

  /// The next image to load, once its batch is next; nil when there is none.
  private func claim() -> Int? {
    lock.locked {
      while !isStopping && next < paths.count && next >= first + batch { lock.wait() }
      guard !isStopping, next < paths.count else { return nil }
      next += 1
      return next - 1
    }
  }
}
