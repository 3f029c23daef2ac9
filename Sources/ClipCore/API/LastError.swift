import CClip
import CSystem

/// This thread's message pointer. csystem_message has static thread-local storage in each object file that calls it, so
/// only this function does.
@inline(never)
private func place() -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? { csystem_message() }

/// The message if there is no memory for one.
private var noBuffer: UnsafeMutablePointer<CChar> {
  UnsafeMutablePointer(mutating: StaticString("the system has no memory for the message of this failure").cString)
}

@c @implementation
public func clip_last_error() -> UnsafePointer<CChar>? {
  place()?.pointee.map { UnsafePointer($0) } ?? StaticString("").cString
}

@c @implementation
public func clip_set_last_error(_ status: clip_status, _ text: UnsafePointer<CChar>?) -> clip_status {
  guard let place = place() else { return status }
  if place.pointee == nil || place.pointee == noBuffer { place.pointee = csystem_new_message() ?? noBuffer }
  guard let buffer = place.pointee, buffer != noBuffer else { return status }
  // `text` may be the stored message itself.
  let length = text.map { strnlen($0, csystem_message_capacity - 1) } ?? 0
  if let text { memmove(buffer, text, length) }
  UTF8Text.hideControls(buffer, length)
  buffer[length] = 0
  return status
}

/// The body of every public call that can fail.
func reporting(_ body: () throws(ClipError) -> Void) -> clip_status { runCall(clip_set_last_error, body) }
