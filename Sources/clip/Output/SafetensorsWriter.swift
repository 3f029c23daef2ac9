/// Writes embeddings as a safetensors file (https://huggingface.co/docs/safetensors): an 8-byte header
/// length, a JSON header padded with spaces to a multiple of 8, then the tensors.
enum SafetensorsWriter {
  /// Readers refuse longer headers.
  private static let headerLimit = 100_000_000

  /// Tensors `image_embeds` and `text_embeds`, F32 or F16 `[n, d]`. The metadata `image_names` and `text_names` are
  /// JSON arrays of the rows' names, as strings, since metadata values must be strings.
  static func write(_ all: [EmbeddingRows], to writer: FileWriter) throws(CLIPError) {
    var metadata: [(key: String, value: JSON)] = []
    var tensors: [(key: String, value: JSON)] = []
    var offset = 0
    for rows in all {
      var names: [JSON] = []
      try rows.forEach { name, _ in names.append(.path(name)) }
      let end = offset + rows.count * rows.width * rows.elements.byteCount
      metadata.append(("\(rows.name)_names", .string(JSON.array(names).compact())))
      tensors.append(
        (
          "\(rows.name)_embeds",
          [
            "dtype": .string(rows.elements.rawValue.uppercased()),
            "shape": .array([.integer(rows.count), .integer(rows.width)]),
            "data_offsets": .array([.integer(offset), .integer(end)]),
          ]
        ))
      offset = end
    }
    var header = Array(JSON.object([(key: "__metadata__", value: JSON.object(metadata))] + tensors).compact().utf8)
    header += [UInt8](repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
    guard header.count <= headerLimit else {
      throw CLIPError(
        "the names take \(header.count) bytes, and a safetensors header holds \(headerLimit): "
          + "write .jsonl, or .npy without names")
    }
    try writer.write(withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) })
    try writer.write(header)
    for rows in all { try rows.forEach { _, bytes throws(CLIPError) in try writer.write(bytes) } }
  }
}
