import CClip
import CSystem

/// A parameter found in a file of weights: the tensor that holds it, and how to view that tensor.
struct StoredParameter {
  private(set) var tensor: Safetensors.Tensor
  let arrangement: ParameterRule.Arrangement
  /// The parameter's shape. For a tensor that the arrangement does not fit it is the tensor's own shape, so
  /// that the caller's comparison of shapes fails.
  let shape: [Int]
  /// nil if the parameter is not resized.
  private(set) var resize: PositionResize?

  init(_ tensor: Safetensors.Tensor, _ arrangement: ParameterRule.Arrangement) {
    self.tensor = tensor
    let shape = tensor.shape
    switch arrangement {
    case .part(_, let parts) where !shape.isEmpty && shape[0] % parts == 0:
      self.arrangement = arrangement
      self.shape = [shape[0] / parts] + shape[1...]
    case .transposed where shape.count == 2:
      self.arrangement = arrangement
      self.shape = [shape[1], shape[0]]
    default:
      self.arrangement = .whole
      self.shape = shape
    }
  }

  private init(_ parameter: StoredParameter, shape: [Int]) {
    tensor = parameter.tensor
    arrangement = parameter.arrangement
    self.shape = shape
  }

  /// The parameter in shape `wanted` if the shapes only differ in sides of 1; otherwise unchanged.
  func squeezed(as wanted: [Int]) -> StoredParameter {
    guard case .whole = arrangement, shape.count <= 8, shape != wanted,
      shape.filter({ $0 != 1 }) == wanted.filter({ $0 != 1 })
    else {
      return self
    }
    return StoredParameter(self, shape: wanted)
  }

  /// The parameter with its positions resized, if its tensor has the positions of the grid that `resize` starts from;
  /// otherwise unchanged.
  func resized(_ resize: PositionResize) -> StoredParameter {
    guard case .whole = arrangement, let width = shape.last, shape.count <= 3,
      tensor.count == resize.sourceRows &* width,
      shape.dropLast().last == resize.sourceRows, resize.from != resize.to
    else { return self }
    var result = StoredParameter(self, shape: [resize.rows, width])
    result.resize = resize
    return result
  }

  /// Rows of the parameter viewed as a matrix [shape[0], product of the other sides]. A scalar is one row.
  var rowCount: Int { shape.first ?? 1 }
  /// Elements of one row.
  var rowWidth: Int {
    var width = 1
    // The product overflows only if the tensor is empty: then one side is 0 and the others are unchecked.
    for side in shape.dropFirst() { width = width &* side }
    return tensor.count == 0 ? 0 : width
  }

  /// Converts `rows` to float32 and writes them to `out`, without gaps. CLIP_FORMAT for an element that
  /// is not finite, CLIP_UNSUPPORTED for an element type that cannot hold weights.
  func read(rows: Range<Int>, into out: UnsafeMutablePointer<Float>) throws(ClipError) {
    guard rows.lowerBound >= 0, rows.upperBound <= rowCount else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT, "\(place): rows \(rows.lowerBound) to \(rows.upperBound) of \(rowCount)")
    }
    guard tensor.type.holdsWeights else {
      throw ClipError(
        CLIP_UNSUPPORTED, "\(place): expected weights in F32, F16, BF16, F64 or F8, found \(tensor.type.name)")
    }
    guard tensor.count > 0 else { return }
    guard !isScattered else { return try inMemory().read(rows: rows, into: out) }
    let width = rowWidth
    if let resize {
      return try resize.read(rows: rows, width: width, into: out) { row, target throws(ClipError) in
        try convert(from: row &* width, count: width, target)
      }
    }
    switch arrangement {
    case .whole: try convert(from: rows.lowerBound &* width, count: rows.count &* width, out)
    case .part(let part, _):
      try convert(from: (part &* rowCount &+ rows.lowerBound) &* width, count: rows.count &* width, out)
    case .transposed: try convertTransposed(rows, width, out)
    }
  }

  /// Whether the file stores every row as float32 without gaps, and can still be read through its descriptor.
  var isDense: Bool { tensor.file.canBeRead && start(of: 0..<rowCount) != nil }

  /// Whether rows are not in the file one after another, so that it would be read in small pieces.
  private var isScattered: Bool {
    tensor.file.canBeRead && (arrangement == .transposed || !tensor.strides.isEmpty)
  }

  /// The parameter itself, or a copy in memory if its rows are not contiguous in the file.
  func inMemory() throws(ClipError) -> StoredParameter {
    guard isScattered else { return self }
    let memory = try Memory(byteCount: tensor.bytes.count, for: "a tensor")
    try tensor.file.read(tensor.bytes, into: memory.base)
    var copy = self
    copy.tensor.bytes = UnsafeRawBufferPointer(start: memory.base, count: memory.byteCount)
    copy.tensor.file = MappedFile(memory, name: tensor.path)
    return copy
  }

  /// `rows` where memory has them, after a check that all elements are finite; nil if they are in a file or not dense
  /// float32, so that `read` has to read or convert them.
  func resident(rows: Range<Int>) throws(ClipError) -> UnsafePointer<Float>? {
    guard !tensor.file.canBeRead, let first = start(of: rows), let base = tensor.bytes.baseAddress else { return nil }
    let elements = (base + first &* 4).assumingMemoryBound(to: Float.self)
    if let bad = firstNotFinite(elements, rows.count &* rowWidth) { throw notFinite(first + bad) }
    return elements
  }

  /// Reads `rows`. CLIP_FORMAT for an element that is not finite.
  func check(rows: Range<Int>) throws(ClipError) { try forEachRow(in: rows) { _, _ in } }

  /// Calls `body` with the number of each of `rows` and its elements.
  func forEachRow(
    in rows: Range<Int>, _ body: (Int, UnsafePointer<Float>) throws(ClipError) -> Void
  ) throws(ClipError) {
    let step = max(1, 16384 / max(1, rowWidth))
    let room = try Memory(floats: product(min(step, rows.count), rowWidth, "rows"), for: "rows")
    for first in stride(from: rows.lowerBound, to: rows.upperBound, by: step) {
      let some = first..<min(first + step, rows.upperBound)
      try read(rows: some, into: room.floats)
      for row in some { try body(row, room.floats + (row - first) * rowWidth) }
    }
  }

  /// Copies `rows` of a dense parameter, which were checked when it was opened. CLIP_IO if the file was changed since.
  func readFromFile(rows: Range<Int>, into out: UnsafeMutablePointer<Float>) throws(ClipError) {
    guard let first = start(of: rows), let base = tensor.bytes.baseAddress else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT, "\(place): rows \(rows.lowerBound) to \(rows.upperBound): expected dense float32")
    }
    try tensor.file.read(
      UnsafeRawBufferPointer(start: base + first &* 4, count: rows.count &* rowWidth &* 4), into: out)
  }

  /// Whether `readRow` can read every row.
  var hasRowsInFile: Bool {
    switch tensor.type {
    case .float32, .float16, .bfloat16: tensor.file.canBeRead && bytes(of: 0..<rowCount) != nil
    default: false
    }
  }

  /// Reads one row as float32 through the file's descriptor; see `hasRowsInFile`. CLIP_IO if the file was changed since
  /// it was opened.
  func readRow(_ row: Int, into out: UnsafeMutablePointer<Float>) throws(ClipError) {
    guard let bytes = bytes(of: row..<(row &+ 1)) else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "\(place): row \(row) of \(rowCount): expected rows without gaps")
    }
    // Narrow elements come to the end of the row and are widened from its beginning on, none before it is read.
    let source = UnsafeMutableRawPointer(out) + (rowWidth &* 4 - bytes.count)
    try tensor.file.read(bytes, into: source)
    if tensor.type != .float32 { tensor.type.widen(source, rowWidth, to: out) }
  }

  /// The bytes of `rows` in the file; nil if it does not store them without gaps.
  private func bytes(of rows: Range<Int>) -> UnsafeRawBufferPointer? {
    var first = rows.lowerBound
    switch arrangement {
    case .whole: break
    case .part(let part, _): first = first &+ part &* rowCount
    case .transposed: return nil
    }
    guard resize == nil, tensor.strides.isEmpty, tensor.count > 0, rows.lowerBound >= 0, rows.upperBound <= rowCount
    else { return nil }
    let size = rowWidth &* (tensor.type.bits / 8)
    return UnsafeRawBufferPointer(rebasing: tensor.bytes[(first &* size)..<((first &+ rows.count) &* size)])
  }

  /// The index in the tensor of the first element of `rows`; nil if the file does not store these rows as dense,
  /// aligned float32.
  private func start(of rows: Range<Int>) -> Int? {
    guard tensor.type == .float32, let bytes = bytes(of: rows), let first = bytes.baseAddress,
      let base = tensor.bytes.baseAddress, Int(bitPattern: first) % 4 == 0
    else { return nil }
    return (first - base) / 4
  }

  private var place: String { "\(tensor.path): tensor \(tensor.name.string)" }

  private func convert(from start: Int, count: Int, _ out: UnsafeMutablePointer<Float>) throws(ClipError) {
    if let bad = try tensor.convert(from: start, count: count, out) { throw notFinite(bad) }
  }

  /// Transposes in blocks of 64 rows: reads 64 consecutive elements of a row of the file at a time, and
  /// writes them down a column of `out`.
  private func convertTransposed(_ rows: Range<Int>, _ width: Int, _ out: UnsafeMutablePointer<Float>) throws(ClipError)
  {
    var storage = SIMD64<Float>.zero
    try withUnsafeMutablePointer(to: &storage) { storage throws(ClipError) in
      let elements = UnsafeMutableRawPointer(storage).assumingMemoryBound(to: Float.self)
      var first = rows.lowerBound
      while first < rows.upperBound {
        let count = min(SIMD64<Float>.scalarCount, rows.upperBound - first)
        let block = out + (first - rows.lowerBound) &* width
        for column in 0..<width {
          try convert(from: column &* rowCount &+ first, count: count, elements)
          for row in 0..<count { block[row &* width &+ column] = elements[row] }
        }
        first += count
      }
    }
  }

  /// The error for element `index` of the file's tensor.
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
  /// Whether elements of this type can be read as float32.
  var holdsWeights: Bool {
    switch self {
    case .float32, .float16, .bfloat16, .float64, .float8e4m3, .float8e5m2, .float8e4m3fnuz, .float8e5m2fnuz: true
    default: false
    }
  }
}

/// The index of the first element that is NaN or infinite, which both have the largest exponent; nil if there is none.
private func firstNotFinite(_ values: UnsafePointer<Float>, _ count: Int) -> Int? {
  let bytes = UnsafeRawPointer(values)
  var bad = SIMD8<Int32>.zero
  var at = 0
  while at + 8 <= count {
    let bits = bytes.loadUnaligned(fromByteOffset: at &* 4, as: SIMD8<Int32>.self) & 0x7fff_ffff
    bad |= 0x7f7f_ffff &- bits
    at += 8
  }
  // The difference is negative for NaN and infinity alone.
  let areFinite = bad.min() >= 0
  for index in (areFinite ? at : 0)..<count where !values[index].isFinite { return index }
  return nil
}

extension Safetensors.Tensor {
  /// Converts elements [start, start + count) to float32. The range must lie inside the tensor, and its
  /// type must hold weights. Returns the index of the first element that is not finite in float32; the
  /// output from there on is unspecified.
  fileprivate func convert(from start: Int, count: Int, _ out: UnsafeMutablePointer<Float>) throws(ClipError) -> Int? {
    guard let base = bytes.baseAddress else { return nil }
    // The check that follows the conversion finds the elements in the cache.
    let isRead = file.canBeRead
    let blockSize = isRead ? 16384 : 2048
    let elementBytes = type.bits / 8
    let isFloat = if case .float32 = type { true } else { false }
    let buffer =
      isRead && !isFloat ? try Memory(byteCount: min(blockSize, count) &* elementBytes, for: "elements") : nil
    var done = 0
    while done < count {
      let size = min(blockSize, count - done)
      let target = out + done
      if isRead {
        let part = UnsafeRawBufferPointer(start: base + (start + done) &* elementBytes, count: size &* elementBytes)
        try file.read(part, into: buffer?.base ?? UnsafeMutableRawPointer(target))
        if let buffer { type.widen(buffer.base, size, to: target) }
      } else if strides.isEmpty {
        type.widen(base + (start + done) &* (type.bits / 8), size, to: target)
      } else {
        for i in 0..<size { type.widen(base + place(of: start + done + i) &* (type.bits / 8), 1, to: target + i) }
      }
      if let bad = firstNotFinite(target, size) { return start + done + bad }
      done += size
    }
    return nil
  }

  /// The offset of element `index` in row-major order, in elements from the first.
  private func place(of index: Int) -> Int {
    var rest = index
    var place = 0
    for side in shape.indices.reversed() {
      place = place &+ (rest % shape[side]) &* strides[side]
      rest /= shape[side]
    }
    return place
  }
}

extension ElementType {
  /// Converts `count` elements to float32. Nothing for a type that cannot hold weights.
  fileprivate func widen(_ source: UnsafeRawPointer, _ count: Int, to target: UnsafeMutablePointer<Float>) {
    func half(_ i: Int) -> UInt16 { source.loadUnaligned(fromByteOffset: i &* 2, as: UInt16.self) }
    func byte(_ i: Int) -> UInt8 { source.load(fromByteOffset: i, as: UInt8.self) }
    switch self {
    case .float32: memcpy(target, source, count &* 4)
    case .float16: for i in 0..<count { target[i] = Half.widen(half(i)) }
    case .bfloat16: for i in 0..<count { target[i] = Float(bitPattern: UInt32(half(i)) << 16) }
    case .float64:
      for i in 0..<count { target[i] = Float(source.loadUnaligned(fromByteOffset: i &* 8, as: Double.self)) }
    // The upper byte of a half.
    case .float8e5m2: for i in 0..<count { target[i] = Half.widen(UInt16(byte(i)) << 8) }
    case .float8e4m3: for i in 0..<count { target[i] = widenByte(byte(i), mantissa: 3, bias: 7, nan: 0x7f) }
    case .float8e4m3fnuz: for i in 0..<count { target[i] = widenByte(byte(i), mantissa: 3, bias: 8, nan: nil) }
    case .float8e5m2fnuz: for i in 0..<count { target[i] = widenByte(byte(i), mantissa: 2, bias: 16, nan: nil) }
    default: break
    }
  }
}

/// A float of eight bits without infinities. Its NaN has the magnitude `nan`, or is what would be -0 if that is nil
/// (Micikevicius et al., 2022; the "fnuz" types are of ONNX).
private func widenByte(_ byte: UInt8, mantissa: Int, bias: Int, nan: UInt8?) -> Float {
  let magnitude = byte & 0x7f
  if let nan { if magnitude == nan { return .nan } } else if byte == 0x80 { return .nan }
  let exponent = Int(magnitude >> UInt8(mantissa))
  let fraction = Float(magnitude & (1 << UInt8(mantissa) - 1))
  let unit = Float(sign: .plus, exponent: max(exponent, 1) - bias - mantissa, significand: 1)
  let value = (exponent == 0 ? fraction : fraction + Float(1 << mantissa)) * unit
  return byte & 0x80 == 0 ? value : -value
}
