import Glibc

/// Decodes and preprocesses pictures on threads of its own, two batches at most ahead of the caller,
/// so that encoding does not wait for files and memory stays bounded however many pictures there are.
///
/// Batch b lies in half b % 2 of the buffer; its slots belong to the loading threads until `take` has
/// returned it, and to the caller until `release`.
final class ImageLoader: @unchecked Sendable {
  private let model: Model
  private let paths: [ByteString]
  private let batch: Int
  private let flags: EncodeFlags
  private let pixels: UnsafeMutablePointer<Float>
  private let lock = Lock()
  private var threads: [pthread_t] = []

  // Guarded by the lock.
  private var next = 0
  private var released = 0
  private var finished = [0, 0]
  private var reasons: [String?]
  private var isStopping = false

  init(_ model: Model, _ paths: [ByteString], batch: Int, threads count: Int, flags: EncodeFlags) throws(Failure) {
    let batch = min(batch, max(paths.count, 1))
    let (bytes, overflow) = (2 * MemoryLayout<Float>.size * model.pixelCount).multipliedReportingOverflow(by: batch)
    guard !overflow, let memory = malloc(bytes) else {
      throw Failure("not enough memory for two batches of \(batch) pictures: pass a smaller --batch")
    }
    self.model = model
    self.paths = paths
    self.batch = batch
    self.flags = flags
    pixels = memory.assumingMemoryBound(to: Float.self)
    reasons = Array(repeating: nil, count: 2 * batch)
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

  deinit {
    free(pixels)
  }

  /// Waits for the batch after the last released one. Returns its pictures' indices in `paths`, their
  /// pixels `[indices.count, pixelCount]` and the reasons of those that failed; nil after the last.
  func take() -> (indices: [Int], pixels: UnsafePointer<Float>, failed: [(index: Int, reason: String)])? {
    let first = released * batch
    guard first < paths.count else { return nil }
    let range = first..<min(first + batch, paths.count)
    let half = released % 2
    let reasons = lock.locked {
      while finished[half] < range.count { lock.wait() }
      return range.map { self.reasons[$0 % (2 * batch)] }
    }
    let start = pixels + half * batch * model.pixelCount
    var indices: [Int] = []
    var failed: [(index: Int, reason: String)] = []
    for index in range {
      let slot = index - first
      if let reason = reasons[slot] {
        failed.append((index, reason))
        continue
      }
      // Close the gaps that failed pictures left.
      if slot != indices.count {
        (start + indices.count * model.pixelCount).update(
          from: start + slot * model.pixelCount, count: model.pixelCount)
      }
      indices.append(index)
    }
    return (indices, UnsafePointer(start), failed)
  }

  /// Gives the batch's memory back to the loading threads.
  func release() {
    lock.locked {
      finished[released % 2] = 0
      released += 1
      lock.wake()
    }
  }

  private func work() {
    while let index = claim() {
      let slot = index % (2 * batch)
      var reason: String?
      do throws(Failure) {
        try model.load(paths[index], flags: flags, into: pixels + slot * model.pixelCount)
      } catch {
        reason = error.message
      }
      lock.locked {
        reasons[slot] = reason
        finished[slot / batch] += 1
        lock.wake()
      }
    }
  }

  /// The next picture to load, once its slot is free; nil when there is none.
  private func claim() -> Int? {
    lock.locked {
      while !isStopping && next < paths.count && next >= (released + 2) * batch { lock.wait() }
      guard !isStopping, next < paths.count else { return nil }
      next += 1
      return next - 1
    }
  }
}
