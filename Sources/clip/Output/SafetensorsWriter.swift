/// Writes embeddings as a safetensors file (https://huggingface.co/docs/safetensors): an 8-byte header
/// length, a JSON header padded with spaces to a multiple of 8, then the tensors.
enum SafetensorsWriter {
  /// Readers refuse longer headers.
  private static let headerLimit = 100_000_000

  /// Tensors `image_embeds` and `text_embeds`, F32 `[n, d]`. Metadata `image_names` and `text_names` hold
  /// what each row is of, as a JSON array in a string: the format's metadata values are strings.
  static func write(_ sets: [EmbeddingSet], to writer: FileWriter) throws(CLIPError) {
    var metadata: [(key: String, value: JSON)] = []
    var tensors: [(key: String, value: JSON)] = []
    var offset = 0
    for set in sets {
      let end = offset + set.values.count * MemoryLayout<Float>.size
      metadata.append(("\(set.kind.rawValue)_names", .string(JSON.strings(set.names).compact())))
      tensors.append(
        (
          "\(set.kind.rawValue)_embeds",
          [
            "dtype": "F32",
            "shape": .array([.integer(set.names.count), .integer(set.width)]),
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
    for set in sets { try writer.write(set.values) }
  }
}
