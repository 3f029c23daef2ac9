import CClip
import CSystem

/// Puts `message` where the host asked for it and gives back `status`: the end of a function that failed.
public func fail(
  _ error: UnsafeMutablePointer<clip_plugin_error>?, _ status: clip_status, _ message: String
) -> clip_status {
  message.withCString { csystem_copy_text(error?.pointee.message, error?.pointee.capacity ?? 0, $0) }
  return status
}
