package import CClip

/// A call of the library that failed.
public struct CLIPError: Error, Hashable, Sendable, CustomStringConvertible {
  public let status: CLIPStatus
  /// What was expected, what was found and where.
  public let message: String

  /// An error of the program's own, such as one thrown by a wrapper of this module.
  public init(_ status: CLIPStatus, _ message: String) {
    self.status = status
    self.message = message
  }

  /// "CLIP_FORMAT: …"
  public var description: String { "\(status): \(message)" }
}

/// The kind of a failure. The raw value is the library's `clip_status`; a newer library may have kinds that are not
/// named here.
public struct CLIPStatus: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: UInt32

  public init(rawValue: UInt32) { self.rawValue = rawValue }

  private init(_ status: clip_status) { rawValue = UInt32(status.rawValue) }

  /// A count of zero, a value out of range, an unknown name.
  public static let invalidArgument = CLIPStatus(CLIP_INVALID_ARGUMENT)
  /// No such file, folder, plugin or tensor.
  public static let notFound = CLIPStatus(CLIP_NOT_FOUND)
  /// The system refused to read or write; the message has its reason.
  public static let io = CLIPStatus(CLIP_IO)
  /// A malformed or truncated file.
  public static let format = CLIPStatus(CLIP_FORMAT)
  /// A well-formed file or a configuration with a feature that this library lacks.
  public static let unsupported = CLIPStatus(CLIP_UNSUPPORTED)
  /// Tensors that are missing, extra or of another shape than the configuration implies, or sizes that do not fit the
  /// model.
  public static let mismatch = CLIPStatus(CLIP_MISMATCH)
  /// Beyond a limit: pixels of an image, tokens of a text, nesting.
  public static let limit = CLIPStatus(CLIP_LIMIT)
  /// The system has too little memory.
  public static let outOfMemory = CLIPStatus(CLIP_OUT_OF_MEMORY)
  /// A plugin is broken, has another interface version, or reported a failure.
  public static let plugin = CLIPStatus(CLIP_PLUGIN)
  /// Training: a loss, gradient or statistic is NaN or infinite.
  public static let notFinite = CLIPStatus(CLIP_NOT_FINITE)
  /// A progress closure asked to stop.
  public static let cancelled = CLIPStatus(CLIP_CANCELLED)

  /// The C name, such as "CLIP_FORMAT".
  public var description: String { String(cString: clip_status_name(clip_status(rawValue))) }
}

/// The version of the library that the program runs with, "major.minor.patch".
public var libraryVersion: String { String(cString: clip_version()) }

/// Throws the message of the library unless `status` is CLIP_OK.
package func check(_ status: clip_status) throws(CLIPError) {
  guard status != CLIP_OK else { return }
  throw CLIPError(CLIPStatus(rawValue: UInt32(status.rawValue)), String(cString: clip_last_error()))
}
