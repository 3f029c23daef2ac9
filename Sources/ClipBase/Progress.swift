import CClip

/// How far a long call is, told to the caller's callback, which may cancel the call.
package struct Progress {
  private let callback: clip_progress
  private let total: Int

  package init(_ callback: clip_progress, total: Int) {
    self.callback = callback
    self.total = total
  }

  /// Whether anybody listens.
  package var isWanted: Bool { callback.fn != nil }

  package func report(_ done: Int) throws(ClipError) {
    guard let tell = callback.fn, tell(callback.user, UInt64(clamping: min(done, total)), UInt64(clamping: total)) != 0
    else { return }
    throw ClipError(CLIP_CANCELLED, "cancelled by the progress callback at \(min(done, total)) of \(total)")
  }
}

/// Weights that are being loaded, one parameter after the other.
package final class LoadProgress {
  private let progress: Progress
  private var done = 0

  package init(_ callback: clip_progress, total: Int) { progress = Progress(callback, total: total) }

  /// `count` weights are next.
  package func add(_ count: Int) throws(ClipError) {
    try progress.report(done)
    done = done &+ count
  }

  package func finish() throws(ClipError) { try progress.report(.max) }
}
