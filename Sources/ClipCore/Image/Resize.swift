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
  window: ResizeWindow, into output: UnsafeMutablePointer<UInt8>, stride: Int,
  kernels: Kernels, scratch: PreprocessScratch
) throws(ClipError) {
  let filter: ResampleFilter
  switch resample {
  case .bilinear: filter = .bilinear
  case .bicubic: filter = .bicubic
  case .lanczos: filter = .lanczos
  case .nearest:
    return try pickNearest(
      image, over: background, width: width, height: height, window: window, into: output, stride: stride,
      scratch: scratch)
  }
  if width == image.width && height == image.height {
    if image.format == .rgb {
      for y in 0..<window.height {
        memcpy(output + y * stride, image.pixels + (window.top + y) * image.stride + window.left * 3, window.width * 3)
      }
      return
    }
    return try pickNearest(
      image, over: background, width: width, height: height, window: window, into: output, stride: stride,
      scratch: scratch)
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
  let sourceBytes = ((across.input.count + 4) * 4 + 15) & ~15
  let rowBytes = isDownFirst ? sourceBytes : acrossBytes
  let ringBytes = try product(down.longest, rowBytes, "rows of a resize")
  let pointerBytes = (down.longest + 1) * MemoryLayout<UnsafeRawPointer>.stride
  guard ringBytes <= maximumRingBytes else {
    throw ClipError(CLIP_LIMIT, "resizing \(image.height) rows of pixels to \(height): too many go into one")
  }
  let base = try scratch.rows.reserve(
    ringBytes + sourceBytes + acrossBytes + pointerBytes, for: "rows of a resize")
  // What a last group's weights of 0 are for is read too.
  memset(base, 0, ringBytes + sourceBytes + acrossBytes)
  let source = base + ringBytes
  let finished = source + sourceBytes
  let rows = (finished + acrossBytes).bindMemory(to: UnsafePointer<UInt8>?.self, capacity: down.longest + 1)

  func resampleAcross(into target: UnsafeMutableRawPointer) {
    kernels.table.pointee.resample_across(
      source.assumingMemoryBound(to: UInt8.self), across.input.lowerBound, across.spans, window.width,
      target.assumingMemoryBound(to: UInt8.self))
  }
  var next = down.input.lowerBound
  for y in 0..<window.height {
    let span = down.spans + y
    let (first, count) = (span.pointee.first, span.pointee.count)
    while next < first + count {
      if next >= first {
        let row = base + next % down.longest * rowBytes
        let pixels = isDownFirst ? row : source
        image.copyRow(next, from: across.input.lowerBound, to: across.input.upperBound, over: background, into: pixels)
        if !isDownFirst { resampleAcross(into: row) }
      }
      next += 1
    }
    for tap in 0...count {
      let row = base + (first + min(tap, count - 1)) % down.longest * rowBytes
      rows[tap] = UnsafePointer(row.assumingMemoryBound(to: UInt8.self))
    }
    let target = (isDownFirst ? source : finished).assumingMemoryBound(to: UInt8.self)
    kernels.table.pointee.resample_down(rows, span, rowBytes, target)
    if isDownFirst { resampleAcross(into: finished) }
    memcpy(output + y * stride, finished, window.width * 3)
  }
}

/// Which pass is first, as Pillow 13 chooses: bytes between the passes are rounded, so the order
/// shows. Until Pillow 11 the horizontal pass was always first.
private func runsDownFirst(_ image: ImageView, width: Int, height: Int) -> Bool {
  height < image.height && image.height - height > 2 * (image.width - width)
}

private let maximumRingBytes = 1 << 28

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
