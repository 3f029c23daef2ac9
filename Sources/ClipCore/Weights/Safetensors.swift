import CClip

/// A safetensors file (https://huggingface.co/docs/safetensors): eight bytes with the header's
/// length, a JSON header, then the data, which the tensors cover without gaps or overlaps. All that the
/// header says is checked against the file.
struct Safetensors {
  /// One tensor of the file. It keeps what `bytes` points into, a mapping that is read through `file`, or memory.
  struct Tensor {
    var name: Name
    let type: ElementType
    /// Empty for a scalar.
    let shape: [Int]
    /// Row-major, little-endian. The address may be unaligned.
    var bytes: UnsafeRawBufferPointer
    /// The number of elements.
    let count: Int
    var file: MappedFile
    /// Elements between neighbours of each side; empty: row-major without gaps.
    var strides: [Int] = []

    var path: String { file.path }
  }

  /// The limit that the format sets on its header.
  static let maxHeaderBytes = 100_000_000

  /// Whether the file begins as safetensors does, whatever its name.
  static func recognises(_ file: MappedFile) throws(ClipError) -> Bool {
    guard file.bytes.count > 8 else { return false }
    var start: UInt64 = 0
    try withUnsafeMutablePointer(to: &start) { start throws(ClipError) in
      try file.read(UnsafeRawBufferPointer(rebasing: file.bytes[1..<9]), into: start)
    }
    return UInt64(littleEndian: start) >> 40 == UInt64(UInt8(ascii: "{")) << 16
  }

  let tensors: TensorMap
  let metadata: [Name: Name]

  init(path: String) throws(ClipError) {
    let file = try MappedFile(mapping: path)
    let size = file.bytes.count
    guard size >= 8 else { throw ClipError(CLIP_FORMAT, "\(path): expected a safetensors file, found \(size) bytes") }
    var length: UInt64 = 0
    try withUnsafeMutablePointer(to: &length) { length throws(ClipError) in
      try file.read(UnsafeRawBufferPointer(rebasing: file.bytes[..<8]), into: length)
    }
    length = UInt64(littleEndian: length)
    guard length <= UInt64(Safetensors.maxHeaderBytes) else {
      throw ClipError(
        CLIP_FORMAT,
        "\(path): expected a safetensors header of at most \(Safetensors.maxHeaderBytes) bytes, "
          + "found a length of \(length)")
    }
    guard length <= UInt64(size - 8) else {
      throw ClipError(
        CLIP_FORMAT, "\(path): the header has \(length) bytes, but the file ends after \(size - 8) of them")
    }
    let dataStart = 8 + Int(length)
    let memory = try Memory(byteCount: Int(length), for: "a header")
    try file.read(UnsafeRawBufferPointer(rebasing: file.bytes[8..<dataStart]), into: memory.base)
    let header = UnsafeRawBufferPointer(start: memory.base, count: Int(length))
    let data = UnsafeRawBufferPointer(rebasing: file.bytes[dataStart...])
    let place = path + ": header"
    guard header.first == UInt8(ascii: "{"), case .object(let members) = try JSON.parse(header, place: place) else {
      throw ClipError(CLIP_FORMAT, place + ": expected a JSON object that starts with {")
    }
    withExtendedLifetime(memory) {}
    var found: [LocatedTensor] = []
    found.reserveCapacity(members.count)
    var metadata: [Name: Name] = [:]
    for (name, value) in members {
      if name == "__metadata__" {
        metadata = try Safetensors.metadata(value, place)
      } else {
        found.append(try LocatedTensor(name, value, data, file))
      }
    }
    try Safetensors.checkCoverage(found, data.count, path)
    var tensors = TensorMap(capacity: found.count)
    for located in found { tensors.add(located.tensor) }
    self.tensors = tensors
    self.metadata = metadata
  }

  private static func metadata(_ value: JSON, _ place: String) throws(ClipError) -> [Name: Name] {
    guard let members = value.object else {
      throw ClipError(CLIP_FORMAT, "\(place): __metadata__: expected an object of strings, found \(value.kind)")
    }
    var metadata: [Name: Name] = [:]
    for member in members {
      guard let string = member.value.string else {
        throw ClipError(
          CLIP_FORMAT, "\(place): __metadata__.\(member.key.string): expected a string, found \(member.value.kind)")
      }
      metadata[member.key] = string
    }
    return metadata
  }

  /// Checks that each tensor begins where the one before it ends.
  private static func checkCoverage(_ found: [LocatedTensor], _ size: Int, _ path: String) throws(ClipError) {
    var end = 0
    var last: Name?
    for located in found.ordered(by: { ($0.begin, $0.end) < ($1.begin, $1.end) }) {
      let name = located.tensor.name.string
      guard located.begin >= end else {
        throw ClipError(
          CLIP_FORMAT,
          "\(path): tensors \(last?.string ?? "") and \(name) overlap: "
            + "one ends at \(end), one begins at \(located.begin)")
      }
      guard located.begin == end else {
        throw ClipError(
          CLIP_FORMAT,
          "\(path): bytes \(end) to \(located.begin) of the data, before tensor \(name), belong to no tensor")
      }
      end = located.end
      last = located.tensor.name
    }
    guard end == size else {
      throw ClipError(CLIP_FORMAT, "\(path): the tensors have \(end) bytes of data, the file has \(size)")
    }
  }
}

/// A tensor with its offsets in the data.
private struct LocatedTensor {
  let tensor: Safetensors.Tensor
  let begin: Int
  let end: Int

  /// Reads and checks one entry of the header.
  init(_ name: Name, _ value: JSON, _ data: UnsafeRawBufferPointer, _ file: MappedFile) throws(ClipError) {
    let place = "\(file.path): tensor \(name.string)"
    guard let members = value.object else {
      throw ClipError(CLIP_FORMAT, "\(place): expected an object, found \(value.kind)")
    }
    var type: ElementType?
    var shape: [Int]?
    var offsets: [Int]?
    for (key, value) in members {
      if key == "dtype" {
        type = value.string.flatMap { ElementType(safetensors: $0) }
        guard type != nil else { throw ClipError(CLIP_FORMAT, "\(place): expected a known dtype, found \(value.kind)") }
      } else if key == "shape" {
        shape = try LocatedTensor.sizes(value, "\(place): shape")
      } else if key == "data_offsets" {
        offsets = try LocatedTensor.sizes(value, "\(place): data_offsets")
      }
    }
    guard let type, let shape, let offsets else {
      throw ClipError(CLIP_FORMAT, "\(place): expected dtype, shape and data_offsets")
    }
    guard offsets.count == 2, offsets[0] <= offsets[1] else {
      throw ClipError(CLIP_FORMAT, "\(place): data_offsets: expected [begin, end] in order")
    }
    begin = offsets[0]
    end = offsets[1]
    guard end <= data.count else {
      throw ClipError(
        CLIP_FORMAT, "\(place): data_offsets [\(begin), \(end)], but the file has \(data.count) bytes of data")
    }
    var count = 1
    for side in shape { count = try shapeProduct(count, side, place) }
    let bits = try shapeProduct(count, type.bits, place)
    guard bits % 8 == 0, bits / 8 == end - begin else {
      throw ClipError(
        CLIP_FORMAT,
        "\(place): \(describe(shape: shape)) of \(type.name) takes \(bits / 8) bytes, "
          + "data_offsets [\(begin), \(end)] have \(end - begin)")
    }
    let bytes = UnsafeRawBufferPointer(rebasing: data[begin..<end])
    tensor = Safetensors.Tensor(name: name, type: type, shape: shape, bytes: bytes, count: count, file: file)
  }

  private static func sizes(_ value: JSON, _ place: String) throws(ClipError) -> [Int] {
    guard let elements = value.array else {
      throw ClipError(CLIP_FORMAT, "\(place): expected an array of integers, found \(value.kind)")
    }
    var sizes: [Int] = []
    sizes.reserveCapacity(elements.count)
    for element in elements {
      guard let size = element.int, size >= 0 else {
        throw ClipError(CLIP_FORMAT, "\(place): expected integers from 0, found \(element.kind)")
      }
      sizes.append(size)
    }
    return sizes
  }
}

/// `a` times `b`, of a shape that a file gives.
func shapeProduct(_ a: Int, _ b: Int, _ place: String) throws(ClipError) -> Int {
  let (result, overflow) = a.multipliedReportingOverflow(by: b)
  guard !overflow else { throw ClipError(CLIP_FORMAT, "\(place): the shape's product does not fit 64 bits") }
  return result
}

/// Quoted names for messages: "\"a\", \"b\"". At most 20 names, each truncated to 60 bytes.
func describe(names: [Name]) -> String {
  var list = ""
  for name in names.prefix(20) {
    list += (list.isEmpty ? "\"" : ", \"") + Name(utf8: Array(name.utf8.prefix(60))).string + "\""
  }
  return list
}

/// A shape or index for messages: "[2, 3]". At most 8 sides.
func describe(shape: [Int]) -> String {
  var text = "["
  for (index, side) in shape.enumerated() {
    if index == 8 { return text + ", … \(shape.count) sides]" }
    text += index == 0 ? "\(side)" : ", \(side)"
  }
  return text + "]"
}
