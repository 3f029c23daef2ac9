import CClip

/// The one error of the library: what a C caller gets as status and message.
///
/// A class throws from convenience initialisers alone: in Embedded Swift 6.3 a designated one that throws leaks the
/// object. A type that needs neither identity nor a deinit is a struct, whose initialisers may throw.
package struct ClipError: Error {
  package let status: clip_status
  /// What was expected, what was found, and where.
  package let message: String
  /// The cause is the system: no memory, no descriptors, a failing disk, a refusal. The file or plugin may be good, so
  /// it is neither skipped nor reported as malformed.
  package let isResourceFailure: Bool

  package init(_ status: clip_status, _ message: String, isResourceFailure: Bool = false) {
    self.status = status
    self.message = message
    self.isResourceFailure = isResourceFailure || status == CLIP_OUT_OF_MEMORY
  }

  /// A copy of the error with `place` before its message.
  package func at(_ place: String) -> ClipError {
    ClipError(status, place + ": " + message, isResourceFailure: isResourceFailure)
  }
}
