import CClip

/// Runs one function of a plugin's table and turns its status and words into an error. `id` is the
/// plugin's, `place` what it works on.
func callPlugin(
  _ id: String, _ place: String, _ function: (UnsafeMutablePointer<clip_plugin_error>) -> clip_status
) throws(ClipError) {
  var words = [CChar](repeating: 0, count: 512)
  let status = words.withUnsafeMutableBufferPointer { buffer in
    var error = clip_plugin_error(message: buffer.baseAddress, capacity: buffer.count)
    return function(&error)
  }
  guard status != CLIP_OK else { return }
  let known = status.rawValue >= CLIP_OK.rawValue && status.rawValue <= CLIP_PLUGIN.rawValue
  let text = words.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
  let message =
    text.isEmpty ? "\(id) failed with status \(status.rawValue) and no words" : String(decoding: text, as: UTF8.self)
  throw ClipError(known ? status : CLIP_PLUGIN, "\(place): \(message)")
}
