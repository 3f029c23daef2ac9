import CClip

/// A safetensors file, mapped, with every claim of its header checked against the file
/// (https://huggingface.co/docs/safetensors): eight bytes with the header's length, a JSON header,
/// then the data, which the tensors cover without holes or overlaps.
final class Safetensors {
  /// One tensor as it lies in the file. It keeps the mapping that `bytes` points into.
  struct Tensor {
    let name: Name
    let type: ElementType
    /// Empty for a scalar.
    let shape: [Int]
    /// Row-major, little-endian; the address need not be a multiple of the element's size.
    let bytes: UnsafeRawBufferPointer
    /// The product of the shape.
    let count: Int
    let file: MappedFile

    var path: String { file.path }
  }

  /// The format's own limit on the header.
  static let maxHeaderBytes = 100_000_000

  let tensors: [Name: Tensor]
  let metadata: [Name: Name]

  // Convenience: a designated initialiser that throws leaks the instance in Embedded Swift 6.3.
  convenience init(path: String) throws(ClipError) {
    let file = try MappedFile(path: path)
    let size = file.bytes.count
    guard size >= 8 else { throw ClipError(CLIP_FORMAT, "\(path): expected a safetensors file, found \(size) bytes") }
    let length = UInt64(littleEndian: file.bytes.loadUnaligned(as: UInt64.self))
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
    let header = UnsafeRawBufferPointer(rebasing: file.bytes[8..<dataStart])
    let data = UnsafeRawBufferPointer(rebasing: file.bytes[dataStart...])
    let place = path + ": header"
    guard header.first == UInt8(ascii: "{"), case .object(let members) = try JSON.parse(header, place: place) else {
      throw ClipError(CLIP_FORMAT, place + ": expected a JSON object that starts with {")
    }
    var found: [Placed] = []
    found.reserveCapacity(members.count)
    var metadata: [Name: Name] = [:]
    for (name, value) in members {
      if name == "__metadata__" {
        metadata = try Safetensors.metadata(value, place)
      } else {
        found.append(try Placed(name, value, data, file))
      }
    }
    try Safetensors.checkCover(&found, data.count, path)
    var tensors = [Name: Tensor](minimumCapacity: found.count)
    for placed in found { tensors[placed.tensor.name] = placed.tensor }
    self.init(tensors, metadata)
  }

  private init(_ tensors: [Name: Tensor], _ metadata: [Name: Name]) {
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

  /// Sorts by place in the data and checks that each tensor starts where the one before it ends.
  private static func checkCover(_ found: inout [Placed], _ size: Int, _ path: String) throws(ClipError) {
    found.sort { ($0.begin, $0.end) < ($1.begin, $1.end) }
    var end = 0
    var last: Name?
    for placed in found {
      let name = placed.tensor.name.string
      guard placed.begin >= end else {
        throw ClipError(
          CLIP_FORMAT,
          "\(path): tensors \(last?.string ?? "") and \(name) overlap: "
            + "one ends at \(end), one begins at \(placed.begin)")
      }
      guard placed.begin == end else {
        throw ClipError(
          CLIP_FORMAT,
          "\(path): bytes \(end) to \(placed.begin) of the data, before tensor \(name), belong to no tensor")
      }
      end = placed.end
      last = placed.tensor.name
    }
    guard end == size else {
      throw ClipError(CLIP_FORMAT, "\(path): the tensors have \(end) bytes of data, the file has \(size)")
    }
  }
}

/// A tensor with its place in the data.
private struct Placed {
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
        shape = try Placed.sizes(value, "\(place): shape")
      } else if key == "data_offsets" {
        offsets = try Placed.sizes(value, "\(place): data_offsets")
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
    for side in shape { count = try Placed.product(count, side, place) }
    let bits = try Placed.product(count, type.bits, place)
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

  private static func product(_ a: Int, _ b: Int, _ place: String) throws(ClipError) -> Int {
    let (result, overflow) = a.multipliedReportingOverflow(by: b)
    guard !overflow else { throw ClipError(CLIP_FORMAT, "\(place): the shape's product does not fit 64 bits") }
    return result
  }
}

/// "[2, 3]", for messages.
func describe(shape: [Int]) -> String {
  var text = "["
  for (index, side) in shape.enumerated() {
    if index == 8 { return text + ", … \(shape.count) sides]" }
    text += index == 0 ? "\(side)" : ", \(side)"
  }
  return text + "]"
}
