import CClip

/// A codec that a plugin brought. Whoever holds it keeps the plugin loaded.
struct CodecTable {
  let table: UnsafePointer<clip_image_codec>
  let plugin: Plugin?

  /// False for a table too short for the contract, or with a function or the id missing.
  var isComplete: Bool {
    let codec = table.pointee
    return Int(codec.struct_size) >= MemoryLayout<clip_image_codec>.size && codec.id != nil
      && codec.recognises != nil && codec.read_header != nil && codec.decode != nil
  }

  var id: String { table.pointee.id.map { String(cString: $0) } ?? "a codec without an id" }
}
