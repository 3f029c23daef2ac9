import CClip
import CSystem

/// A part of a resized image: pixels [left, left + width) x [top, top + height).
struct ResizeWindow {
  var left: Int
  var top: Int
  var width: Int
  var height: Int
}

/// Writes the part `window` of `image` resized to width x height, as RGB bytes in rows `stride` bytes
/// apart. The result equals Pillow's Image.resize of the RGB image, but only the rows and columns of the
/// window are computed.
///
/// The caller checks that sizes are in 1...2^48, and that the window is not empty and lies in the resized
/// image. CLIP_LIMIT if weights or intermediate rows would take too much memory.
func resize(
  _ image: ImageView, over background: Colour?, width: Int, height: Int, resample: PreprocessConfig.Resample,
  window: ResizeWindow, into output: UnsafeMutablePointer<UInt8>, stride: Int,
  kernels: Kernels, scratch: PreprocessScratch
) throws(ClipError) {
  guard let filter = ResampleFilter(resample) else {
    return try pickNearest(
      image, over: background, width: width, height: height, window: window, into: output, stride: stride,
      scratch: scratch)
  }
  if width == image.width && height == image.height && width == image.fullWidth && height == image.fullHeight {
    if image.format == .rgb, image.isStoredUpright {
      for y in 0..<window.height {
        memcpy(output + y * stride, image.pixels + (window.top + y) * image.stride + window.left * 3, window.width * 3)
      }
      return
    }
    return try pickNearest(
      image, over: background, width: width, height: height, window: window, into: output, stride: stride,
      scratch: scratch)
  }
  let horizontal = try ResampleWeights(
    inputSize: image.width, image.across, outputSize: width, range: window.left..<window.left + window.width,
    filter: filter, buffer: &scratch.horizontal)
  let vertical = try ResampleWeights(
    inputSize: image.height, image.down, outputSize: height, range: window.top..<window.top + window.height,
    filter: filter, buffer: &scratch.vertical)

  // A ring buffer of the input rows of one vertical span: source rows if the vertical pass is first, else rows after
  // the horizontal pass.
  let isVerticalFirst = runsVerticalFirst(image, width: width, height: height)
  let outputBytes = (window.width * 3 + 4 + 15) & ~15
  let sourceBytes = ((horizontal.input.count + 4) * 4 + 15) & ~15
  let rowBytes = isVerticalFirst ? sourceBytes : outputBytes
  let ringBytes = try product(vertical.longest, rowBytes, "rows of a resize")
  let pointerBytes = (vertical.longest + 1) * MemoryLayout<UnsafeRawPointer>.stride
  guard ringBytes <= maximumRingBytes else {
    throw ClipError(CLIP_LIMIT, "resizing \(image.height) rows of pixels to \(height): too many go into one")
  }
  let base = try scratch.rows.reserve(
    ringBytes + sourceBytes + outputBytes + pointerBytes, for: "rows of a resize")
  // Kernels also read the bytes after a row, which the zero weights of the last group multiply.
  memset(base, 0, ringBytes + sourceBytes + outputBytes)
  let source = base + ringBytes
  let finished = source + sourceBytes
  let rows = (finished + outputBytes).bindMemory(to: UnsafePointer<UInt8>?.self, capacity: vertical.longest + 1)

  func resampleHorizontally(into target: UnsafeMutableRawPointer) {
    kernels.table.pointee.resample_horizontal(
      source.assumingMemoryBound(to: UInt8.self), horizontal.input.lowerBound, horizontal.spans, window.width,
      target.assumingMemoryBound(to: UInt8.self))
  }
  var next = vertical.input.lowerBound
  for y in 0..<window.height {
    let span = vertical.spans + y
    let (first, count) = (span.pointee.first, span.pointee.count)
    while next < first + count {
      if next >= first {
        let row = base + next % vertical.longest * rowBytes
        let pixels = isVerticalFirst ? row : source
        image.copyRow(
          next, from: horizontal.input.lowerBound, to: horizontal.input.upperBound, over: background, into: pixels)
        if !isVerticalFirst { resampleHorizontally(into: row) }
      }
      next += 1
    }
    for tap in 0...count {
      let row = base + (first + min(tap, count - 1)) % vertical.longest * rowBytes
      rows[tap] = UnsafePointer(row.assumingMemoryBound(to: UInt8.self))
    }
    let target = (isVerticalFirst ? source : finished).assumingMemoryBound(to: UInt8.self)
    kernels.table.pointee.resample_vertical(rows, span, rowBytes, target)
    if isVerticalFirst { resampleHorizontally(into: finished) }
    memcpy(output + y * stride, finished, window.width * 3)
  }
}

/// Whether the vertical pass is first, as Pillow 13 chooses. The order changes the result, since the passes
/// exchange rounded bytes. Until Pillow 11 the horizontal pass was always first.
private func runsVerticalFirst(_ image: ImageView, width: Int, height: Int) -> Bool {
  height < image.fullHeight && image.fullHeight - height > 2 * (image.fullWidth - width)
}

private let maximumRingBytes = 1 << 28

/// Nearest-neighbour resize with the rounding of Pillow's ImagingScaleAffine. For equal sizes it is a copy.
private func pickNearest(
  _ image: ImageView, over background: Colour?, width: Int, height: Int, window: ResizeWindow,
  into output: UnsafeMutablePointer<UInt8>, stride: Int, scratch: PreprocessScratch
) throws(ClipError) {
  let columnBytes = try product(window.width, MemoryLayout<Int>.stride, "columns of a resize")
  let columns = try scratch.horizontal.reserve(columnBytes, for: "columns of a resize")
    .bindMemory(to: Int.self, capacity: window.width)
  var column = NearestPositions(inputSize: image.width, image.across, outputSize: width, first: window.left)
  for x in 0..<window.width { columns[x] = column.next() }
  let (first, last) = (columns[0], columns[window.width - 1])
  let source = try scratch.rows.reserve((last - first + 1) * 4, for: "rows of a resize")
  var row = NearestPositions(inputSize: image.height, image.down, outputSize: height, first: window.top)
  for y in 0..<window.height {
    image.copyRow(row.next(), from: first, to: last + 1, over: background, into: source)
    let line = output + y * stride
    for x in 0..<window.width { memcpy(line + x * 3, source + (columns[x] - first) * 4, 3) }
  }
}

/// The input positions of output positions from `first` on: found as in Pillow by repeated addition of the scale,
/// except for images larger than Pillow allows.
private struct NearestPositions {
  private let scale: Double
  private let inputSize: Int
  private var position: Double

  init(inputSize: Int, _ extent: (from: Double, count: Double), outputSize: Int, first: Int) {
    scale = extent.count / Double(outputSize)
    self.inputSize = inputSize
    position = extent.from + scale * 0.5
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
