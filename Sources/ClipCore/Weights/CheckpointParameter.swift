import CClip
import CSystem

/// A parameter found in a checkpoint: a tensor, and how it is to be looked at.
struct CheckpointParameter {
  let tensor: Safetensors.Tensor
  let recipe: ParameterRule.Recipe
  /// As the encoder sees it. A tensor that the recipe does not fit keeps the file's shape, so that
  /// it shows as wrong.
  let shape: [Int]

  init(_ tensor: Safetensors.Tensor, _ recipe: ParameterRule.Recipe) {
    self.tensor = tensor
    let shape = tensor.shape
    switch recipe {
    case .third where !shape.isEmpty && shape[0] % 3 == 0:
      self.recipe = recipe
      self.shape = [shape[0] / 3] + shape[1...]
    case .transposed where shape.count == 2:
      self.recipe = recipe
      self.shape = [shape[1], shape[0]]
    default:
      self.recipe = .whole
      self.shape = shape
    }
  }

  private init(_ parameter: CheckpointParameter, shape: [Int]) {
    tensor = parameter.tensor
    recipe = parameter.recipe
    self.shape = shape
  }

  /// The parameter as one of shape `wanted` where it is that after sides of 1; else itself.
  func withoutLeadingOnes(as wanted: [Int]) -> CheckpointParameter {
    guard case .whole = recipe, shape.count > wanted.count else { return self }
    let extra = shape.count - wanted.count
    guard shape[..<extra].allSatisfy({ $0 == 1 }), Array(shape[extra...]) == wanted else { return self }
    return CheckpointParameter(self, shape: wanted)
  }

  /// Rows and their width, with the parameter seen as [shape[0], rest]. A scalar is one row.
  var rowCount: Int { shape.first ?? 1 }
  var rowWidth: Int {
    var width = 1
    // Within the tensor's count, or 0 for a tensor of no elements, whose other sides may be huge.
    for side in shape.dropFirst() { width = width &* side }
    return tensor.count == 0 ? 0 : width
  }

  /// Writes rows [rows) as float32, dense, to `out`. CLIP_FORMAT for a number that is not finite,
  /// CLIP_UNSUPPORTED for a type that holds no weights.
  func read(rows: Range<Int>, into out: UnsafeMutablePointer<Float>) throws(ClipError) {
    guard rows.lowerBound >= 0, rows.upperBound <= rowCount else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT, "\(place): rows \(rows.lowerBound) to \(rows.upperBound) of \(rowCount)")
    }
    guard tensor.type.holdsWeights else {
      throw ClipError(
        CLIP_UNSUPPORTED, "\(place): expected weights in F32, F16, BF16 or F64, found \(tensor.type.name)")
    }
    guard tensor.count > 0 else { return }
    let width = rowWidth
    switch recipe {
    case .whole: try convert(from: rows.lowerBound &* width, count: rows.count &* width, out)
    case .third(let third):
      try convert(from: (third &* rowCount &+ rows.lowerBound) &* width, count: rows.count &* width, out)
    case .transposed: try convertTransposed(rows, width, out)
    }
  }

  /// Whether the file has every row, dense, as float32, and can be read again after it was opened.
  var isDense: Bool { tensor.file.canBeRead && start(of: 0..<rowCount) != nil }

  /// Rows [rows), dense, where the file has them as float32; nil where `read` has to make them.
  func inPlace(rows: Range<Int>) throws(ClipError) -> UnsafePointer<Float>? {
    guard let first = start(of: rows), let base = tensor.bytes.baseAddress else { return nil }
    let place = (base + first &* 4).assumingMemoryBound(to: Float.self)
    if let bad = firstNotFinite(place, rows.count &* rowWidth) { throw notFinite(first + bad) }
    return place
  }

  /// Copies rows that `inPlace` finds from the file itself, not from its mapping. CLIP_IO where the file was changed
  /// since it was opened.
  func readAgain(rows: Range<Int>, into out: UnsafeMutablePointer<Float>) throws(ClipError) {
    guard let first = start(of: rows), let base = tensor.bytes.baseAddress else { return }
    try tensor.file.read(
      UnsafeRawBufferPointer(start: base + first &* 4, count: rows.count &* rowWidth &* 4), into: out)
  }

  /// The element of the tensor with which rows begin that the file has as dense float32.
  private func start(of rows: Range<Int>) -> Int? {
    var first = rows.lowerBound
    switch recipe {
    case .whole: break
    case .third(let third): first = first &+ third &* rowCount
    case .transposed: return nil
    }
    guard tensor.type == .float32, tensor.count > 0, rows.lowerBound >= 0, rows.upperBound <= rowCount,
      let base = tensor.bytes.baseAddress, Int(bitPattern: base) % 4 == 0
    else { return nil }
    return first &* rowWidth
  }

  /// Gives back the memory that reading the tensor took: the file's pages that were mapped in. It may be read again.
  func forget() { tensor.file.forget(tensor.bytes) }

  private var place: String { "\(tensor.path): tensor \(tensor.name.string)" }

  private func convert(from start: Int, count: Int, _ out: UnsafeMutablePointer<Float>) throws(ClipError) {
    if let bad = tensor.convert(from: start, count: count, out) { throw notFinite(bad) }
  }

  /// Takes stretches of the file's rows, so that reads are dense, and scatters each down a column.
  private func convertTransposed(_ rows: Range<Int>, _ width: Int, _ out: UnsafeMutablePointer<Float>) throws(ClipError)
  {
    let stretch = 64
    var bad: Int?
    withUnsafeTemporaryAllocation(of: Float.self, capacity: stretch) { buffer in
      guard let line = buffer.baseAddress else { return }
      var first = rows.lowerBound
      while first < rows.upperBound, bad == nil {
        let count = min(stretch, rows.upperBound - first)
        let block = out + (first - rows.lowerBound) &* width
        for column in 0..<width where bad == nil {
          bad = tensor.convert(from: column &* rowCount &+ first, count: count, line)
          for row in 0..<count { block[row &* width &+ column] = line[row] }
        }
        first += count
      }
    }
    if let bad { throw notFinite(bad) }
  }

  /// `index` counts the elements of the file's tensor.
  private func notFinite(_ index: Int) -> ClipError {
    var at: [Int] = []
    var rest = index
    for side in tensor.shape.reversed() {
      at.append(rest % max(side, 1))
      rest /= max(side, 1)
    }
    at.reverse()
    return ClipError(
      CLIP_FORMAT, "\(place): element \(describe(shape: at)): expected a finite number, found NaN or infinity")
  }
}

extension ElementType {
  /// Whether elements can be read as float32.
  var holdsWeights: Bool {
    switch self {
    case .float32, .float16, .bfloat16, .float64: true
    default: false
    }
  }
}

/// The first of the numbers that is NaN or infinite: bits of the largest exponent, whatever the sign.
private func firstNotFinite(_ values: UnsafePointer<Float>, _ count: Int) -> Int? {
  let bytes = UnsafeRawPointer(values)
  var bad = SIMD8<Int32>.zero
  var at = 0
  while at + 8 <= count {
    let bits = bytes.loadUnaligned(fromByteOffset: at &* 4, as: SIMD8<Int32>.self) & 0x7fff_ffff
    bad |= 0x7f7f_ffff &- bits
    at += 8
  }
  // Only for such bits is the difference below 0.
  let isClean = bad.min() >= 0
  for index in (isClean ? at : 0)..<count where !values[index].isFinite { return index }
  return nil
}

extension Safetensors.Tensor {
  /// Writes elements [start, start + count), which must be inside a tensor of weights, as float32.
  /// Returns the index of the first that is not finite as such; what follows it is unspecified.
  fileprivate func convert(from start: Int, count: Int, _ out: UnsafeMutablePointer<Float>) -> Int? {
    guard let base = bytes.baseAddress else { return nil }
    // Small enough that the check finds the chunk in the first-level cache.
    let chunk = 2048
    var done = 0
    while done < count {
      let size = min(chunk, count - done)
      let target = out + done
      let source = base + (start + done) &* (type.bits / 8)
      switch type {
      case .float32: memcpy(target, source, size &* 4)
      case .float16:
        for i in 0..<size {
          target[i] = Half.widen(source.loadUnaligned(fromByteOffset: i &* 2, as: UInt16.self))
        }
      case .bfloat16:
        for i in 0..<size {
          target[i] = Float(bitPattern: UInt32(source.loadUnaligned(fromByteOffset: i &* 2, as: UInt16.self)) << 16)
        }
      case .float64:
        for i in 0..<size { target[i] = Float(source.loadUnaligned(fromByteOffset: i &* 8, as: Double.self)) }
      default: return nil
      }
      if let bad = firstNotFinite(target, size) { return start + done + bad }
      done += size
    }
    return nil
  }
}
