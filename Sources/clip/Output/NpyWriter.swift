/// Writes embeddings as NumPy's .npy, version 1.0 (numpy.lib.format): float32 or float16 `[n, d]`, without names.
enum NpyWriter {
  static func write(_ rows: EmbeddingRows, to writer: FileWriter) throws(CLIPError) {
    let magic: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]
    let type = rows.elements == .f32 ? "<f4" : "<f2"
    var header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(rows.count), \(rows.width)), }"
    // The data starts at a multiple of 64 bytes; the header ends with a newline.
    let unpadded = magic.count + 2 + header.utf8.count + 1
    header += String(repeating: " ", count: (64 - unpadded % 64) % 64) + "\n"
    try writer.write(magic)
    try writer.write(withUnsafeBytes(of: UInt16(header.utf8.count).littleEndian) { Array($0) })
    try writer.write(header)
    try rows.forEach { _, bytes throws(CLIPError) in try writer.write(bytes) }
  }
}
