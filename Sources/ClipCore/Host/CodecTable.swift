import CClip

/// An image codec of a plugin. Holding it keeps the plugin loaded.
struct CodecTable {
  let table: UnsafePointer<clip_image_codec>
  let plugin: Plugin?

  var id: String { String(cString: table.pointee.id) }
}
