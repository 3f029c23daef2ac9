import CClip
import CSystem

/// Writes a safetensors file aside, and puts it in its place once all of it is on the disk. Until `finish`, and
/// after a failure, what was at `path` is whole.
final class SafetensorsWriter {
  struct Tensor {
    let name: Name
    let type: ElementType
    let shape: [Int]
    let byteCount: Int
  }

  private let path: String
  private let partial: String
  private var descriptor: Int32
  private var left: Int

  /// Opens the file and writes its header; `append` then takes the tensors' bytes in the same order.
  convenience init(path: String, _ tensors: [Tensor], metadata: [(key: Name, value: Name)]) throws(ClipError) {
    let partial = path + ".partial"
    let descriptor = partial.withCString { csystem_open_write($0) }
    guard descriptor >= 0 else { throw systemError("cannot write " + partial) }
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
      let facts =
        ":{\"dtype\":\"\(tensor.type.name)\",\"shape\":[\(shape)],\"data_offsets\":[\(end),\(end &+ tensor.byteCount)]}"
      header.append(contentsOf: facts.utf8)
      end = end &+ tensor.byteCount
    }
    header.append(UInt8(ascii: "}"))
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
    self.init(path, partial, descriptor, end)
    let bytes = try Memory(byteCount: 8 + header.count, for: "a header")
    bytes.base.storeBytes(of: UInt64(header.count).littleEndian, as: UInt64.self)
    for (index, byte) in header.enumerated() { bytes.bytes[8 + index] = byte }
    try write(bytes.base, bytes.byteCount)
    withExtendedLifetime(bytes) {}
  }

  private init(_ path: String, _ partial: String, _ descriptor: Int32, _ left: Int) {
    self.path = path
    self.partial = partial
    self.descriptor = descriptor
    self.left = left
  }

  /// An unfinished file is removed.
  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    _ = partial.withCString { unlink($0) }
  }

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
    left -= count
  }

  private func write(_ bytes: UnsafeRawPointer, _ count: Int) throws(ClipError) {
    var done = 0
    while done < count {
      let written = csystem_write(descriptor, bytes + done, min(count - done, 1 << 30))
      guard written > 0 else { throw systemError("cannot write " + partial) }
      done += written
    }
  }

  /// Syncs the file and renames it to its path.
  func finish() throws(ClipError) {
    guard left == 0 else { throw ClipError(CLIP_IO, "\(path): \(left) bytes of tensors were not written") }
    guard fsync(descriptor) == 0 else { throw systemError("cannot write " + partial) }
    let closed = close(descriptor)
    descriptor = -1
    let renamed = closed == 0 ? partial.withCString { from in path.withCString { rename(from, $0) } } : -1
    guard renamed == 0 else {
      let error = systemError("cannot write " + path)
      _ = partial.withCString { unlink($0) }
      throw error
    }
    syncFolder(parent(of: path))
  }
}
