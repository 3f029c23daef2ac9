import CClip

/// Checks an image codec with bytes that are no image, and with damaged images.
enum CodecCheck {
  private static let most = 1 << 24

  static func run(_ file: ByteString, _ index: Int, sample: ByteString?, _ report: Report) throws(CLIPError) {
    let plugin = try LoadedPlugin(file)
    let codec = try plugin.item(
      index, CLIP_KIND_IMAGE_CODEC, clip_image_codec.self, size: MemoryLayout<clip_image_codec>.size,
      needed: [\.recognises, \.read_header, \.decode]
    ).pointee
    let recognises = codec.recognises
    var random = RandomNumbers(seed: 3)
    var inputs: [[UInt8]] = (0...64).map { _ in [] }
    for size in inputs.indices { inputs[size] = (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) } }
    for size in [1000, 100_000] { inputs.append((0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) }) }
    if let sample {
      let whole = try readFile(sample)
      try report.require(recognises(whole, whole.count) == 1, "\(sample.shown) is not recognised")
      try report.require(try decodes(codec, whole, report), "\(sample.shown) is not decoded")
      for cut in 0..<64 { inputs.append(Array(whole.prefix(whole.count * cut / 64))) }
      for _ in 0..<400 {
        var spoilt = whole
        spoilt[random.below(spoilt.count)] = UInt8(truncatingIfNeeded: random.next())
        inputs.append(spoilt)
      }
    }
    var decoded = 0
    for bytes in inputs {
      _ = recognises(bytes, bytes.count)
      if try decodes(codec, bytes, report) { decoded += 1 }
    }
    if report.failures == 0 {
      try report.pass("\(inputs.count) spoilt files: \(decoded) decode to something, the others are refused with words")
    }
  }

  /// Both functions with exactly the file's bytes. The codec must write inside its pixels only.
  private static func decodes(_ codec: clip_image_codec, _ bytes: [UInt8], _ report: Report) throws(CLIPError) -> Bool {
    let data = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, bytes.count))
    defer { data.deallocate() }
    for (index, byte) in bytes.enumerated() { data[index] = byte }
    var words = [CChar](repeating: 0, count: 256)
    var header = clip_codec_header()
    header.struct_size = UInt32(MemoryLayout<clip_codec_header>.size)
    let status = words.withUnsafeMutableBufferPointer { words in
      var error = clip_plugin_error(message: words.baseAddress, capacity: words.count)
      return codec.read_header(data, bytes.count, &header, &error)
    }
    guard status == CLIP_OK else {
      try report.require(words[0] != 0, "read_header refused \(bytes.count) bytes without a word")
      return false
    }
    let channels = header.format == CLIP_PIXELS_GRAY ? 1 : header.format == CLIP_PIXELS_RGBA ? 4 : 3
    let (width, height) = (Int(header.width), Int(header.height))
    guard width >= 1, height >= 1 else {
      try report.fail("read_header gave \(width) x \(height) pixels and no error")
      return false
    }
    guard width.multipliedReportingOverflow(by: height).partialValue <= most, width <= most, height <= most else {
      return false
    }
    let guardBytes = 256
    let stride = width * channels + 5
    var pixels = [UInt8](repeating: 0xa5, count: stride * height + 2 * guardBytes)
    let done = pixels.withUnsafeMutableBufferPointer { pixels in
      words.withUnsafeMutableBufferPointer { words in
        var error = clip_plugin_error(message: words.baseAddress, capacity: words.count)
        return codec.decode(data, bytes.count, &header, pixels.baseAddress.map { $0 + guardBytes }, stride, &error)
      }
    }
    var isIntact =
      pixels.prefix(guardBytes).allSatisfy { $0 == 0xa5 } && pixels.suffix(guardBytes).allSatisfy { $0 == 0xa5 }
    for row in 0..<height {
      let end = guardBytes + row * stride + width * channels
      isIntact = isIntact && pixels[end..<end + 5].allSatisfy { $0 == 0xa5 }
    }
    try report.require(isIntact, "decode wrote beside its \(width) x \(height) pixels")
    return done == CLIP_OK
  }
}
