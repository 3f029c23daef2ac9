import CClip

/// The one error of the library: what a C caller gets as status and message.
///
/// A class throws from convenience initialisers alone: in Embedded Swift 6.3 a designated one that throws leaks the
/// object. A type that needs neither identity nor a deinit is a struct, whose initialisers may throw.
package struct ClipError: Error {
  package let status: clip_status
  /// What was expected, what was found, and where.
  package let message: String
  /// The system had no memory or descriptors left, its disk failed, or it refused: nothing is known of the file or the
  /// plugin that was asked for, so that it is neither skipped nor called malformed.
  package let isResourceFailure: Bool

  package init(_ status: clip_status, _ message: String, isResourceFailure: Bool = false) {
    self.status = status
    self.message = message
    self.isResourceFailure = isResourceFailure || status == CLIP_OUT_OF_MEMORY
  }

  /// The same error with the place it happened in before its message.
  package func at(_ place: String) -> ClipError {
    ClipError(status, place + ": " + message, isResourceFailure: isResourceFailure)
  }
}
