import CClip
import CSystem

/// Why a function of a plugin failed.
public struct PluginFailure: Error {
  public let status: clip_status
  public let message: String

  public init(_ status: clip_status, _ message: String) {
    self.status = status
    self.message = message
  }

  public static func noMemory(_ what: StaticString) -> PluginFailure {
    PluginFailure(CLIP_OUT_OF_MEMORY, "no memory for " + String(cString: what.cString))
  }
}

/// Runs the body of a function that the host calls. Returns CLIP_OK, or the status of the failure that `body` throws
/// with its message, after `prefix`, in `error`.
public func reporting(
  _ error: UnsafeMutablePointer<clip_plugin_error>?, prefix: String = "", _ body: () throws(PluginFailure) -> Void
) -> clip_status {
  do throws(PluginFailure) {
    try requireMemory()
    try body()
    return CLIP_OK
  } catch let failure {
    return fail(error, failure.status, prefix + failure.message)
  }
}

/// Throws while the memory reserve is low. Called at the start of a task, and in each turn of a loop whose memory grows
/// with its input, so that these end before the reserve is used up. See ClipReserve.
@inline(never)
public func requireMemory() throws(PluginFailure) {
  guard clip_reserve_is_low() == 0 else { throw PluginFailure(CLIP_OUT_OF_MEMORY, "the system has no memory left") }
}

/// Throws if the system has no block of `byteCount` bytes now. For memory that a library without checks of its own will
/// take; the block is freed at once.
public func requireMemory(_ byteCount: Int) throws(PluginFailure) {
  guard let block = clip_reserve_system_block(byteCount, 64) else {
    throw PluginFailure(CLIP_OUT_OF_MEMORY, "the system has no \(byteCount) bytes left")
  }
  free(block)
}

/// Writes `message` to `error` and returns `status`.
public func fail(
  _ error: UnsafeMutablePointer<clip_plugin_error>?, _ status: clip_status, _ message: String
) -> clip_status {
  message.withCString { csystem_copy_text(error?.pointee.message, error?.pointee.capacity ?? 0, $0) }
  return status
}
