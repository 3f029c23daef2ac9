import CClip

/// The geometry of resize, crop and padding.
struct Framing {
  /// The image's size after the resize.
  let width: Int
  let height: Int
  /// The part of the resized image that is kept.
  let window: ResizeWindow
  /// The position of the window in the tower's input. The rest of the input is padding.
  let left: Int
  let top: Int

  init(_ image: ImageView, _ config: PreprocessConfig) {
    (width, height) = Framing.resizedSize(image, config)
    let horizontal = Framing.centred(width, config.width, config.cropsAsTransformers)
    let vertical = Framing.centred(height, config.height, config.cropsAsTransformers)
    window = ResizeWindow(
      left: horizontal.from, top: vertical.from, width: horizontal.count, height: vertical.count)
    left = horizontal.to
    top = vertical.to
  }

  private static func resizedSize(_ image: ImageView, _ config: PreprocessConfig) -> (Int, Int) {
    switch config.mode {
    case .none: return (image.fullWidth, image.fullHeight)
    case .squash: return (config.squashTo?.width ?? config.width, config.squashTo?.height ?? config.height)
    case .shortest:
      // torchvision's Resize(int) truncates the longer side to whole pixels.
      let (short, long) = (min(image.fullWidth, image.fullHeight), max(image.fullWidth, image.fullHeight))
      let other = Int(Double(config.resizeTo * long) / Double(short))
      return image.fullWidth <= image.fullHeight ? (config.resizeTo, other) : (other, config.resizeTo)
    case .longest, .cover:
      // open_clip's ResizeKeepRatio.
      let across = Double(image.fullWidth) / Double(config.width)
      let down = Double(image.fullHeight) / Double(config.height)
      let ratio = config.mode == .longest ? max(across, down) : min(across, down)
      // If a side rounds to 0, open_clip fails; here it keeps one pixel.
      let width = max(1, Int((Double(image.fullWidth) / ratio).rounded(.toNearestOrEven)))
      let height = max(1, Int((Double(image.fullHeight) / ratio).rounded(.toNearestOrEven)))
      return (width, height)
    }
  }

  /// center_crop along one axis: `count` pixels from `from` on are copied to `to`.
  private static func centred(
    _ side: Int, _ target: Int, _ asTransformers: Bool
  ) -> (from: Int, to: Int, count: Int) {
    guard target <= side else { return (0, (target - side + (asTransformers ? 1 : 0)) / 2, side) }
    if asTransformers { return ((side - target) / 2, 0, target) }
    return (Int((Double(side - target) / 2).rounded(.toNearestOrEven)), 0, target)
  }
}

private let largestSide = 65535

/// Resizes and crops an image to [height, width, 3] RGB bytes, without normalisation. Alpha is dropped, or
/// composited over `background`.
///
/// CLIP_FORMAT for an invalid configuration, CLIP_LIMIT if the resize needs too much memory.
func preprocessBytes(
  _ image: ImageView, _ config: PreprocessConfig, background: Colour?, into output: UnsafeMutablePointer<UInt8>,
  kernels: Kernels, scratch: PreprocessScratch
) throws(ClipError) {
  try check(config)
  let framing = Framing(image, config)
  let stride = config.width * 3
  if framing.window.width < config.width || framing.window.height < config.height {
    let isFilled = config.mode == .longest
    for i in 0..<config.width * config.height {
      for channel in 0..<3 { output[i * 3 + channel] = isFilled ? config.fill[channel] : 0 }
    }
  }
  try resize(
    image, over: background, width: framing.width, height: framing.height, resample: config.resample,
    window: framing.window, into: output + framing.top * stride + framing.left * 3, stride: stride,
    kernels: kernels, scratch: scratch)
}

/// Makes the tower's input of an image: [3, height, width] floats, red first, (x * rescale - mean) / std
/// in float32 as torchvision's ToTensor and Normalize compute it. Errors as preprocessBytes.
func preprocess(
  _ image: ImageView, _ config: PreprocessConfig, background: Colour?, into output: UnsafeMutablePointer<Float>,
  kernels: Kernels, scratch: PreprocessScratch
) throws(ClipError) {
  try check(config)
  if config.resizesFloats, let filter = ResampleFilter(config.resample) {
    return try Framing(image, config).resizeFloats(
      image, filter, config, background: background, into: output, scratch: scratch)
  }
  let bytes = try scratch.bytes.reserve(config.floats, for: "a preprocessed image").assumingMemoryBound(to: UInt8.self)
  try preprocessBytes(image, config, background: background, into: bytes, kernels: kernels, scratch: scratch)
  normalizePixels(bytes, config, into: output)
}

/// The second half of `preprocess`: [height, width, 3] bytes to [3, height, width] floats. The caller has checked
/// `config`.
func normalizePixels(
  _ bytes: UnsafePointer<UInt8>, _ config: PreprocessConfig, into output: UnsafeMutablePointer<Float>
) {
  let count = config.width * config.height
  for channel in 0..<3 {
    // The result for each value of a byte.
    var storage = InlineArray<256, Float>(repeating: 0)
    withUnsafeMutablePointer(to: &storage) { storage in
      let table = UnsafeMutableRawPointer(storage).assumingMemoryBound(to: Float.self)
      for value in 0..<256 {
        let scaled = config.rescale == 1.0 / 255.0 ? Float(value) / 255 : Float(value) * config.rescale
        table[value] = (scaled - config.mean[channel]) / config.std[channel]
      }
      let plane = output + (config.swapsChannels ? 2 - channel : channel) * count
      for i in 0..<count { plane[i] = table[Int(bytes[i &* 3 &+ channel])] }
    }
  }
}

/// Checks what the readers of configuration files do not.
private func check(_ config: PreprocessConfig) throws(ClipError) {
  guard (1...largestSide).contains(config.width), (1...largestSide).contains(config.height),
    (1...largestSide).contains(config.resizeTo), (1...largestSide).contains(config.squashTo?.width ?? 1),
    (1...largestSide).contains(config.squashTo?.height ?? 1)
  else {
    throw ClipError(
      CLIP_FORMAT,
      "preprocessing: expected sides from 1 to \(largestSide) pixels, "
        + "found \(config.width) x \(config.height) after a resize to \(config.resizeTo)")
  }
  guard config.mean.count == 3, config.std.count == 3, config.fill.count == 3 else {
    throw ClipError(
      CLIP_FORMAT,
      "preprocessing: expected 3 numbers in mean, std and fill colour, "
        + "found \(config.mean.count), \(config.std.count) and \(config.fill.count)")
  }
}
