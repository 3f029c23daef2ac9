import CClip
import CSystem

/// Writes a safetensors file under a temporary name beside `path`; `finish` syncs it to the disk and renames it to
/// `path`. Until then, and after a failure, the old file at `path` is untouched.
final class SafetensorsWriter {
  struct Tensor {
    let name: Name
    let type: ElementType
    let shape: [Int]
    let byteCount: Int
  }

  private let path: String
  private let temporaryPath: String
  private var descriptor: Int32
  /// Bytes of tensors that are still to be appended.
  private var remaining: Int

  /// Creates the file and writes its header. `append` then takes the data of the tensors, in the same order.
  convenience init(path: String, _ tensors: [Tensor], metadata: [(key: Name, value: Name)]) throws(ClipError) {
    let temporaryPath = path + ".partial"
    let descriptor = withPath(temporaryPath) { csystem_open_write($0) }
    guard descriptor >= 0 else { throw systemError("cannot write " + temporaryPath) }
    var header: [UInt8] = Array("{\"__metadata__\":{".utf8)
    for (index, pair) in metadata.enumerated() {
      if index > 0 { header.append(UInt8(ascii: ",")) }
      SafetensorsWriter.quote(pair.key, &header)
      header.append(UInt8(ascii: ":"))
      SafetensorsWriter.quote(pair.value, &header)
    }
    header.append(UInt8(ascii: "}"))
    var end = 0
    for tensor in tensors {
      header.append(UInt8(ascii: ","))
      SafetensorsWriter.quote(tensor.name, &header)
      var shape = ""
      for side in tensor.shape { shape += (shape.isEmpty ? "" : ",") + "\(side)" }
      let entry =
        ":{\"dtype\":\"\(tensor.type.name)\",\"shape\":[\(shape)],\"data_offsets\":[\(end),\(end &+ tensor.byteCount)]}"
      header.append(contentsOf: entry.utf8)
      end = end &+ tensor.byteCount
    }
    header.append(UInt8(ascii: "}"))
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
    self.init(path, temporaryPath, descriptor, end)
    let bytes = try Memory(byteCount: 8 + header.count, for: "a header")
    bytes.base.storeBytes(of: UInt64(header.count).littleEndian, as: UInt64.self)
    for (index, byte) in header.enumerated() { bytes.bytes[8 + index] = byte }
    try write(bytes.base, bytes.byteCount)
    withExtendedLifetime(bytes) {}
  }

  private init(_ path: String, _ temporaryPath: String, _ descriptor: Int32, _ remaining: Int) {
    self.path = path
    self.temporaryPath = temporaryPath
    self.descriptor = descriptor
    self.remaining = remaining
  }

  /// Removes an unfinished file.
  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    removeFile(temporaryPath)
  }

  /// Appends `name` as a JSON string.
  private static func quote(_ name: Name, _ out: inout [UInt8]) {
    let digits = Array("0123456789abcdef".utf8)
    out.append(UInt8(ascii: "\""))
    for byte in name.utf8 {
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        out.append(UInt8(ascii: "\\"))
        out.append(byte)
      } else if byte < 0x20 {
        out.append(contentsOf: Array("\\u00".utf8))
        out.append(digits[Int(byte >> 4)])
        out.append(digits[Int(byte & 15)])
      } else {
        out.append(byte)
      }
    }
    out.append(UInt8(ascii: "\""))
  }

  func append(_ bytes: UnsafeRawPointer, _ count: Int) throws(ClipError) {
    try write(bytes, count)
    remaining -= count
  }

  private func write(_ bytes: UnsafeRawPointer, _ count: Int) throws(ClipError) {
    var done = 0
    while done < count {
      let written = csystem_write(descriptor, bytes + done, min(count - done, 1 << 30))
      guard written > 0 else { throw systemError("cannot write " + temporaryPath) }
      done += written
    }
  }

  func finish() throws(ClipError) {
    guard remaining == 0 else { throw ClipError(CLIP_IO, "\(path): \(remaining) bytes of tensors were not written") }
    guard csystem_sync(descriptor) == 0 else { throw systemError("cannot write " + temporaryPath) }
    let closed = csystem_close(descriptor)
    descriptor = -1
    let renamed = closed == 0 ? withPaths(temporaryPath, path, rename) : -1
    guard renamed == 0 else {
      let error = systemError("cannot write " + path)
      removeFile(temporaryPath)
      throw error
    }
    try syncFolder(parent(of: path))
  }
}
