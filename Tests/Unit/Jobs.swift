import CClip
import CSystem
import Synchronization

private final class Counts {
  let memory: UnsafeMutablePointer<Int>
  let count: Int
  init(_ count: Int) {
    self.count = count
    memory = .allocate(capacity: count)
    memory.initialize(repeating: 0, count: count)
  }
  deinit { memory.deallocate() }
}

private struct Counting: Work {
  let counts: Counts
  func part(_ piece: Int) { counts.memory[piece] += 1 }
}

/// Every piece runs once, whatever the number of threads and pieces.
func testJobs() {
  for width in [1, 2, 4] {
    guard let pool = try? ThreadPool(threads: width, hostLoop: nil, hostUser: nil) else {
      return check(false, "no thread pool")
    }
    for pieces in [0, 1, 2, 3, 100, 5000] {
      let counts = Counts(max(1, pieces))
      pool.run(pieces, Counting(counts: counts))
      check((0..<pieces).allSatisfy { counts.memory[$0] == 1 }, "\(pieces) pieces on \(width) threads")
    }
  }
}

/// The first failure by index counts, not by time, and it is reported once.
func testWorkAfterFailure() {
  let failures = Failures()
  failures.record(ClipError(CLIP_IO, "late"), 7)
  failures.record(ClipError(CLIP_FORMAT, "early"), 3)
  failures.record(ClipError(CLIP_LIMIT, "later"), 9)
  do throws(ClipError) {
    try failures.throwFirst()
    check(false, "nothing was thrown")
  } catch {
    check(error.status == CLIP_FORMAT && Name(error.message) == "early", "the wrong failure was thrown")
  }
  check((try? failures.throwFirst()) != nil, "a failure was thrown twice")
}
