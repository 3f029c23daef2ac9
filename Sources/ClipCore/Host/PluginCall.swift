import CClip

/// Calls a plugin's function and turns its status and words into an error. `plugin` names who failed
/// where it has no words, `place` what it worked on.
func callPlugin(
  _ plugin: String, _ place: String, _ call: (UnsafeMutablePointer<clip_plugin_error>) -> clip_status
) throws(ClipError) {
  var words = [CChar](repeating: 0, count: 512)
  let status = words.withUnsafeMutableBufferPointer { buffer in
    var error = clip_plugin_error(message: buffer.baseAddress, capacity: buffer.count)
    return call(&error)
  }
  guard status != CLIP_OK else { return }
  throw failure(plugin, place, status, words)
}

// Apart, so that it is there once: each caller's closure gets a `callPlugin` of its own.
@inline(never)
private func failure(_ plugin: String, _ place: String, _ status: clip_status, _ words: [CChar]) -> ClipError {
  let known = status.rawValue >= CLIP_OK.rawValue && status.rawValue <= CLIP_PLUGIN.rawValue
  let text = words.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
  let message =
    text.isEmpty
    ? "\(plugin) failed with status \(status.rawValue) and no words" : String(decoding: text, as: UTF8.self)
  return ClipError(known ? status : CLIP_PLUGIN, "\(place): \(message)")
}
