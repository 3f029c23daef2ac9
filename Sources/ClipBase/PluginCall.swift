import CClip

/// Calls a plugin's function and turns its status and message into an error. `plugin` names the function if it gave no
/// message; `place` says what it worked on, "" if the message does.
package func callPlugin(
  _ plugin: String, _ place: String, capacity: Int = 512,
  _ call: (UnsafeMutablePointer<clip_plugin_error>) -> clip_status
) throws(ClipError) {
  var message = [CChar](repeating: 0, count: capacity)
  let status = message.withUnsafeMutableBufferPointer { buffer in
    var error = clip_plugin_error(message: buffer.baseAddress, capacity: buffer.count)
    return call(&error)
  }
  guard status != CLIP_OK else { return }
  throw pluginError(plugin, place, status, message)
}

/// The error of a plugin's function that returned `status` and wrote `message`. Apart from `callPlugin`, of which each
/// caller's closure gets one of its own.
@inline(never)
package func pluginError(_ plugin: String, _ place: String, _ status: clip_status, _ message: [CChar]) -> ClipError {
  let known = status.rawValue >= CLIP_OK.rawValue && status.rawValue <= CLIP_PLUGIN.rawValue
  let text = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
  let reason =
    text.isEmpty
    ? "\(plugin) failed with status \(status.rawValue) and no message" : String(decoding: text, as: UTF8.self)
  return ClipError(known ? status : CLIP_PLUGIN, place.isEmpty ? reason : "\(place): \(reason)")
}
