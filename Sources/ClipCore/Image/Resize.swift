import CClip
import CSystem

/// A part of a resized image: pixels [left, left + width) x [top, top + height) of it.
struct ResizeWindow {
  var left: Int
  var top: Int
  var width: Int
  var height: Int
}

/// The pixels of `window` that `image` has after a resize to width x height, as red, green, blue
/// bytes in rows `stride` bytes apart. Bytes are those of Pillow's Image.resize of the RGB image,
/// but only rows and columns that the window needs are computed.
///
/// The caller has checked that sizes are in 1...2^48, and that the window is not empty and lies
/// within. CLIP_LIMIT for sides so long that the filter itself would take much memory.
func resize(
  _ image: ImageView, over background: Colour?, width: Int, height: Int, resample: PreprocessConfig.Resample,
  window: ResizeWindow, into output: UnsafeMutablePointer<UInt8>, stride: Int, scratch: PreprocessScratch
) throws(ClipError) {
  let filter: ResampleFilter
  switch resample {
  case .bilinear: filter = .bilinear
  case .bicubic: filter = .bicubic
  case .lanczos: filter = .lanczos
  case .nearest:
    return try pickNearest(
      image, over: background, width: width, height: height, window: window, into: output, stride: stride, scratch: scratch)
  }
  if width == image.width && height == image.height {
    return try pickNearest(
      image, over: background, width: width, height: height, window: window, into: output, stride: stride, scratch: scratch)
  }
  let across = try ResampleWeights(
    inputSize: image.width, outputSize: width, range: window.left..<window.left + window.width, filter: filter,
    buffer: &scratch.horizontal)
  let down = try ResampleWeights(
    inputSize: image.height, outputSize: height, range: window.top..<window.top + window.height, filter: filter,
    buffer: &scratch.vertical)

  // A ring of rows holds one vertical span: rows as they come where the vertical pass is first, else
  // rows that have been through the horizontal pass.
  let isDownFirst = runsDownFirst(image, width: width, height: height)
  let acrossBytes = (window.width * 3 + 4 + 15) & ~15
  let sourceBytes = ((across.input.count + 2) * 4 + 15) & ~15
  let rowBytes = isDownFirst ? sourceBytes : acrossBytes
  let ringBytes = try product(down.longest, rowBytes, "rows of a resize")
  let pointerBytes = (down.longest + 1) * MemoryLayout<UnsafeRawPointer>.stride
  guard ringBytes <= maximumRingBytes else {
    throw ClipError(CLIP_LIMIT, "resizing \(image.height) rows of pixels to \(height): too many go into one")
  }
  let base = try scratch.rows.reserve(
    ringBytes + sourceBytes + acrossBytes + pointerBytes, for: "rows of a resize")
  // An odd count of taps also reads the pixel after the last, with a weight of 0.
  memset(base, 0, ringBytes + sourceBytes + acrossBytes)
  let source = base + ringBytes
  let finished = source + sourceBytes
  let rows = (finished + acrossBytes).bindMemory(to: UnsafeRawPointer.self, capacity: down.longest + 1)

  var next = down.input.lowerBound
  for y in 0..<window.height {
    let span = down.spans[y]
    while next < span.first + span.count {
      if next >= span.first {
        let row = base + next % down.longest * rowBytes
        let pixels = isDownFirst ? row : source
        image.copyRow(next, from: across.input.lowerBound, to: across.input.upperBound, over: background, into: pixels)
        if !isDownFirst {
          resampleAcross(source, first: across.input.lowerBound, across.spans, window.width, into: row)
        }
      }
      next += 1
    }
    for tap in 0...span.count {
      rows[tap] = UnsafeRawPointer(base + (span.first + min(tap, span.count - 1)) % down.longest * rowBytes)
    }
    resampleDown(rows, span, rowBytes, into: isDownFirst ? source : finished)
    if isDownFirst {
      resampleAcross(source, first: across.input.lowerBound, across.spans, window.width, into: finished)
    }
    memcpy(output + y * stride, finished, window.width * 3)
  }
}

/// Which pass is first, as Pillow 13 chooses: bytes between the passes are rounded, so the order
/// shows. Until Pillow 11 the horizontal pass was always first.
private func runsDownFirst(_ image: ImageView, width: Int, height: Int) -> Bool {
  height < image.height && image.height - height > 2 * (image.width - width)
}

private let maximumRingBytes = 1 << 28

/// Four sums of products of neighbours: one instruction (pmaddwd) on x86-64.
@inline(__always)
private func multiplyPairs(_ a: SIMD8<Int16>, _ b: SIMD8<Int16>) -> SIMD4<Int32> {
  SIMD4<Int32>(truncatingIfNeeded: a.evenHalf) &* SIMD4<Int32>(truncatingIfNeeded: b.evenHalf)
    &+ SIMD4<Int32>(truncatingIfNeeded: a.oddHalf) &* SIMD4<Int32>(truncatingIfNeeded: b.oddHalf)
}

@inline(__always)
private func repeated(_ pair: UInt32) -> SIMD8<Int16> {
  unsafeBitCast(SIMD4<UInt32>(repeating: pair), to: SIMD8<Int16>.self)
}

/// The sums of both parts, rounded and brought back to 0...255.
@inline(__always)
private func rounded(_ low: SIMD4<Int32>, _ high: SIMD4<Int32>) -> SIMD4<UInt8> {
  let half = SIMD4<Int32>(repeating: 1 << Int32(ResampleWeights.precision - 1))
  let sum = (low &+ half &+ high &<< 15) &>> Int32(ResampleWeights.precision)
  return SIMD4<UInt8>(truncatingIfNeeded: sum.clamped(lowerBound: .zero, upperBound: SIMD4(repeating: 255)))
}

/// One row through the horizontal filter: `source` holds pixels from column `first` on, four
/// bytes each and one pixel more than is needed; `output` gets three bytes a pixel and one more.
private func resampleAcross(
  _ source: UnsafeMutableRawPointer, first: Int, _ spans: UnsafePointer<ResampleWeights.Span>, _ width: Int,
  into output: UnsafeMutableRawPointer
) {
  for x in 0..<width {
    let span = spans[x]
    let taps = UnsafeRawPointer(source) + (span.first &- first) &* 4
    var low = SIMD4<Int32>.zero
    var high = SIMD4<Int32>.zero
    for pair in 0..<span.pairCount {
      let two = taps.loadUnaligned(fromByteOffset: pair &* 8, as: SIMD8<UInt8>.self)
      var mixed = SIMD8<UInt8>()
      mixed.evenHalf = two.lowHalf
      mixed.oddHalf = two.highHalf
      let pixels = SIMD8<Int16>(truncatingIfNeeded: mixed)
      low &+= multiplyPairs(pixels, repeated(span.pairs[pair].low))
      high &+= multiplyPairs(pixels, repeated(span.pairs[pair].high))
    }
    output.storeBytes(of: rounded(low, high), toByteOffset: x &* 3, as: SIMD4<UInt8>.self)
  }
}

/// One output row: `rows` point at the span's rows, the last one twice; `byteCount` is a multiple
/// of 16.
private func resampleDown(
  _ rows: UnsafeMutablePointer<UnsafeRawPointer>, _ span: ResampleWeights.Span, _ byteCount: Int,
  into output: UnsafeMutableRawPointer
) {
  for x in stride(from: 0, to: byteCount, by: 16) {
    var low0 = SIMD4<Int32>.zero, low1 = low0, low2 = low0, low3 = low0
    var high0 = low0, high1 = low0, high2 = low0, high3 = low0
    for pair in 0..<span.pairCount {
      let a = rows[pair &* 2].loadUnaligned(fromByteOffset: x, as: SIMD16<UInt8>.self)
      let b = rows[pair &* 2 &+ 1].loadUnaligned(fromByteOffset: x, as: SIMD16<UInt8>.self)
      let lowWeights = repeated(span.pairs[pair].low)
      let highWeights = repeated(span.pairs[pair].high)
      var left = SIMD16<UInt8>()
      left.evenHalf = a.lowHalf
      left.oddHalf = b.lowHalf
      var right = SIMD16<UInt8>()
      right.evenHalf = a.highHalf
      right.oddHalf = b.highHalf
      let p0 = SIMD8<Int16>(truncatingIfNeeded: left.lowHalf)
      let p1 = SIMD8<Int16>(truncatingIfNeeded: left.highHalf)
      let p2 = SIMD8<Int16>(truncatingIfNeeded: right.lowHalf)
      let p3 = SIMD8<Int16>(truncatingIfNeeded: right.highHalf)
      low0 &+= multiplyPairs(p0, lowWeights)
      low1 &+= multiplyPairs(p1, lowWeights)
      low2 &+= multiplyPairs(p2, lowWeights)
      low3 &+= multiplyPairs(p3, lowWeights)
      high0 &+= multiplyPairs(p0, highWeights)
      high1 &+= multiplyPairs(p1, highWeights)
      high2 &+= multiplyPairs(p2, highWeights)
      high3 &+= multiplyPairs(p3, highWeights)
    }
    output.storeBytes(of: rounded(low0, high0), toByteOffset: x, as: SIMD4<UInt8>.self)
    output.storeBytes(of: rounded(low1, high1), toByteOffset: x &+ 4, as: SIMD4<UInt8>.self)
    output.storeBytes(of: rounded(low2, high2), toByteOffset: x &+ 8, as: SIMD4<UInt8>.self)
    output.storeBytes(of: rounded(low3, high3), toByteOffset: x &+ 12, as: SIMD4<UInt8>.self)
  }
}

/// The nearest pixel of each, as Pillow's ImagingScaleAffine finds it; with equal sizes, a copy.
private func pickNearest(
  _ image: ImageView, over background: Colour?, width: Int, height: Int, window: ResizeWindow,
  into output: UnsafeMutablePointer<UInt8>, stride: Int, scratch: PreprocessScratch
) throws(ClipError) {
  let columnBytes = try product(window.width, MemoryLayout<Int>.stride, "columns of a resize")
  let columns = try scratch.horizontal.reserve(columnBytes, for: "columns of a resize")
    .bindMemory(to: Int.self, capacity: window.width)
  var column = NearestPositions(inputSize: image.width, outputSize: width, first: window.left)
  for x in 0..<window.width { columns[x] = column.next() }
  let (first, last) = (columns[0], columns[window.width - 1])
  let source = try scratch.rows.reserve((last - first + 1) * 4, for: "rows of a resize")
  var row = NearestPositions(inputSize: image.height, outputSize: height, first: window.top)
  for y in 0..<window.height {
    image.copyRow(row.next(), from: first, to: last + 1, over: background, into: source)
    let line = output + y * stride
    for x in 0..<window.width { memcpy(line + x * 3, source + (columns[x] - first) * 4, 3) }
  }
}

/// Input positions of output positions from `first` on. Pillow adds the scale up step by step,
/// and so does this, but for sides that Pillow has no memory for.
private struct NearestPositions {
  private let scale: Double
  private let inputSize: Int
  private var position: Double

  init(inputSize: Int, outputSize: Int, first: Int) {
    scale = Double(inputSize) / Double(outputSize)
    self.inputSize = inputSize
    position = scale * 0.5
    if first <= 1 << 24 {
      for _ in 0..<first { position += scale }
    } else {
      position += Double(first) * scale
    }
  }

  mutating func next() -> Int {
    defer { position += scale }
    return min(Int(position), inputSize - 1)
  }
}
