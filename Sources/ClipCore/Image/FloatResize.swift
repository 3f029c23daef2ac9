import CClip

extension Framing {
  /// The tower's input as `preprocess` makes it, of pixels that stay floats between the passes of the resize, as
  /// torchvision resizes float tensors: the horizontal pass is first, and nothing is rounded or clipped.
  func resizeFloats(
    _ image: ImageView, _ filter: ResampleFilter, _ config: PreprocessConfig, background: Colour?,
    into output: UnsafeMutablePointer<Float>, scratch: PreprocessScratch
  ) throws(ClipError) {
    let horizontal = try ResampleWeights(
      inputSize: image.width, image.across, outputSize: width, range: window.left..<window.left + window.width,
      filter: filter,
      isFixed: false, buffer: &scratch.horizontal)
    let vertical = try ResampleWeights(
      inputSize: image.height, image.down, outputSize: height, range: window.top..<window.top + window.height,
      filter: filter,
      isFixed: false, buffer: &scratch.vertical)
    let (count, rowFloats) = (config.width * config.height, window.width * 3)
    for channel in 0..<3 {
      (output + channel * count).update(repeating: -config.mean[channel] / config.std[channel], count: count)
    }
    let sourceBytes = (horizontal.input.count * 4 + 15) & ~15
    let ringBytes = try product(vertical.longest + 1, rowFloats * 4, "rows of a resize")
    guard ringBytes <= 1 << 28 else {
      throw ClipError(CLIP_LIMIT, "resizing \(image.height) rows of pixels to \(height): too many go into one")
    }
    let source = try scratch.rows.reserve(sourceBytes + ringBytes, for: "rows of a resize")
    let ring = (source + sourceBytes).bindMemory(to: Float.self, capacity: ringBytes / 4)
    let sum = ring + vertical.longest * rowFloats
    let pixels = source.assumingMemoryBound(to: UInt8.self)

    var next = vertical.input.lowerBound
    for y in 0..<window.height {
      let span = vertical.spans[y]
      let taps = UnsafeRawPointer(span.weights).assumingMemoryBound(to: Float.self)
      while next < span.first + span.count {
        defer { next += 1 }
        guard next >= span.first else { continue }
        image.copyRow(
          next, from: horizontal.input.lowerBound, to: horizontal.input.upperBound, over: background, into: source)
        let row = ring + next % vertical.longest * rowFloats
        for x in 0..<window.width {
          let across = horizontal.spans[x]
          let weights = UnsafeRawPointer(across.weights).assumingMemoryBound(to: Float.self)
          let first = pixels + (across.first - horizontal.input.lowerBound) * 4
          var pixel = SIMD4<Float>.zero
          for tap in 0..<across.count {
            let bytes = UnsafeRawPointer(first + tap * 4).loadUnaligned(as: SIMD4<UInt8>.self)
            pixel += SIMD4<Float>(bytes) * weights[tap]
          }
          for channel in 0..<3 { row[x * 3 + channel] = pixel[channel] }
        }
      }
      sum.update(repeating: 0, count: rowFloats)
      for tap in 0..<span.count {
        let row = ring + (span.first + tap) % vertical.longest * rowFloats
        for i in 0..<rowFloats { sum[i] += row[i] * taps[tap] }
      }
      for channel in 0..<3 {
        let line = output + channel * count + (top + y) * config.width + left
        for x in 0..<window.width {
          line[x] = (sum[x * 3 + channel] * config.rescale - config.mean[channel]) / config.std[channel]
        }
      }
    }
  }
}
