import CClip

/// A format of weight files that a plugin reads. Whoever holds it keeps that plugin loaded.
struct WeightFormat {
  let table: UnsafePointer<clip_weight_format>
  let plugin: AnyObject?

  func recognises(_ file: MappedFile) -> Bool {
    guard let data = file.bytes.bindMemory(to: UInt8.self).baseAddress else { return false }
    return table.pointee.recognises(data, file.bytes.count) != 0
  }

  /// The tensors of the file, each checked to be inside it.
  func tensors(of file: MappedFile) throws(ClipError) -> TensorMap {
    guard let data = file.bytes.bindMemory(to: UInt8.self).baseAddress else { return TensorMap() }
    let found = FoundTensors(file)
    try callPlugin(String(cString: table.pointee.id), file.path) { error in
      table.pointee.read(
        data, file.bytes.count,
        { host, tensor in Unmanaged<FoundTensors>.fromOpaque(host).takeUnretainedValue().add(tensor.pointee) },
        Unmanaged.passUnretained(found).toOpaque(), error)
    }
    if let problem = found.problem { throw problem }
    return found.tensors
  }
}

/// The tensors that a plugin has visited.
private final class FoundTensors {
  private let file: MappedFile
  var tensors = TensorMap()
  /// The error of the tensor that was refused.
  var problem: ClipError?

  init(_ file: MappedFile) { self.file = file }

  func add(_ given: clip_weight_tensor) -> clip_status {
    do throws(ClipError) {
      let tensor = try check(given)
      guard tensors.add(tensor) == nil else {
        throw ClipError(
          CLIP_FORMAT, "\(file.path): expected names that differ, found two tensors \(tensor.name.string)")
      }
      return CLIP_OK
    } catch {
      problem = problem ?? error
      return error.status
    }
  }

  private func check(_ given: clip_weight_tensor) throws(ClipError) -> Safetensors.Tensor {
    let name = Name(cString: given.name)
    let place = "\(file.path): tensor \(name.string)"
    guard let type = ElementType(safetensors: Name(cString: given.dtype)), type.bits % 8 == 0 else {
      throw ClipError(CLIP_FORMAT, "\(place): expected a known dtype, found " + String(cString: given.dtype))
    }
    guard given.rank <= 64 else {
      throw ClipError(CLIP_FORMAT, "\(place): expected at most 64 sides, found \(given.rank)")
    }
    var shape: [Int] = []
    var strides: [Int] = []
    for index in 0..<given.rank {
      shape.append(try size(given.sides[index], place))
      if let given = given.strides { strides.append(try size(given[index], place)) }
    }
    var count = shape.contains(0) ? 0 : 1
    if count > 0 { for side in shape { count = try shapeProduct(count, side, place) } }
    if isRowMajor(shape, strides) { strides = [] }
    // Elements from the first to the last, both included.
    var span = count
    if !strides.isEmpty, count > 0 {
      span = 1
      for (side, stride) in zip(shape, strides) {
        let (sum, overflow) = span.addingReportingOverflow(try shapeProduct(side - 1, stride, place))
        guard !overflow else { throw ClipError(CLIP_FORMAT, "\(place): the strides lead out of 64 bits") }
        span = sum
      }
    }
    let bytes = try shapeProduct(span, type.bits / 8, place)
    guard given.offset <= UInt64(file.bytes.count), bytes <= file.bytes.count - Int(given.offset) else {
      throw ClipError(
        CLIP_FORMAT,
        "\(place): \(bytes) bytes at \(given.offset), but the file has \(file.bytes.count) bytes")
    }
    let start = Int(given.offset)
    return Safetensors.Tensor(
      name: name, type: type, shape: shape,
      bytes: UnsafeRawBufferPointer(rebasing: file.bytes[start..<(start + bytes)]),
      count: count, file: file, strides: strides)
  }

  private func size(_ given: UInt64, _ place: String) throws(ClipError) -> Int {
    guard let size = Int(exactly: given) else {
      throw ClipError(CLIP_FORMAT, "\(place): expected sides and strides of 63 bits, found \(given)")
    }
    return size
  }

  /// Whether the strides are row-major without gaps. Sides of 1 or 0 may have any stride.
  private func isRowMajor(_ shape: [Int], _ strides: [Int]) -> Bool {
    guard !strides.isEmpty else { return true }
    var expected = 1
    for (side, stride) in zip(shape, strides).reversed() {
      guard side <= 1 || stride == expected else { return false }
      expected = expected &* max(1, side)
    }
    return true
  }
}
