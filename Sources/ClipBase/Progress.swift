import CClip

/// Reports progress to the caller's callback, which may cancel the call.
package struct Progress {
  private let callback: clip_progress
  private let total: Int

  package init(_ callback: clip_progress, total: Int) {
    self.callback = callback
    self.total = total
  }

  /// Whether there is a callback.
  package var isWanted: Bool { callback.fn != nil }

  package func report(_ done: Int) throws(ClipError) {
    guard let tell = callback.fn, tell(callback.user, UInt64(clamping: min(done, total)), UInt64(clamping: total)) != 0
    else { return }
    throw ClipError(CLIP_CANCELLED, "cancelled by the progress callback at \(min(done, total)) of \(total)")
  }
}

/// The progress of loading weights, one parameter after the other.
package final class LoadProgress {
  private let progress: Progress
  private var done = 0

  package init(_ callback: clip_progress, total: Int) { progress = Progress(callback, total: total) }

  /// Reports that `count` more weights are about to be loaded.
  package func add(_ count: Int) throws(ClipError) {
    try progress.report(done)
    done = done &+ count
  }

  package func finish() throws(ClipError) { try progress.report(.max) }
}
