import CClip

/// The settings of a step, by the names that the augmentation declares.
public struct Settings {
  private let settings: UnsafePointer<clip_settings>

  init(_ settings: UnsafePointer<clip_settings>) { self.settings = settings }

  public func number(_ name: StaticString) -> Double { settings.pointee.number(settings, name.cString) }
  public func integer(_ name: StaticString) -> Int { Int(exactly: number(name)) ?? 0 }
  public func boolean(_ name: StaticString) -> Bool { number(name) != 0 }
  /// The index of the value among the declared choices.
  public func choice(_ name: StaticString) -> Int { Int(exactly: number(name)) ?? 0 }

  public func numbers(_ name: StaticString) -> [Double] {
    var values: UnsafePointer<Double>?
    let count = settings.pointee.numbers(settings, name.cString, &values)
    return Array(UnsafeBufferPointer(start: values, count: values == nil ? 0 : count))
  }

  public func text(_ name: StaticString) -> String {
    settings.pointee.text(settings, name.cString).map { String(cString: $0) } ?? ""
  }
}

/// The image that an augmentation gets: rows from top to bottom, channels interleaved.
public struct Pixels {
  public let format: clip_pixel_format
  public let width: Int
  public let height: Int
  /// Bytes from one row to the next.
  public let stride: Int
  public let base: UnsafePointer<UInt8>

  init(_ view: clip_image_view) {
    format = view.format
    width = Int(view.width)
    height = Int(view.height)
    stride = view.stride
    base = view.pixels
  }

  /// Bytes of one pixel.
  public var channels: Int {
    switch format {
    case CLIP_PIXELS_GRAY: 1
    case CLIP_PIXELS_RGBA, CLIP_PIXELS_BGRA: 4
    default: 3
    }
  }

  public func row(_ y: Int) -> UnsafePointer<UInt8> { base + y * stride }

  /// The part of width x height pixels at column `left` and row `top`. The caller checks that it lies in the image.
  public func part(left: Int, top: Int, width: Int, height: Int) -> Pixels {
    var part = view
    part.pixels = row(top) + left * channels
    part.width = UInt32(clamping: width)
    part.height = UInt32(clamping: height)
    return Pixels(part)
  }

  fileprivate var view: clip_image_view {
    clip_image_view(
      pixels: base, width: UInt32(clamping: width), height: UInt32(clamping: height), stride: stride, format: format,
      orientation: 0, full_width: 0, full_height: 0)
  }
}

/// Memory for a result. Every pixel must be written.
public struct Canvas {
  /// Bytes from one row to the next.
  public let stride: Int
  public let base: UnsafeMutablePointer<UInt8>

  public func row(_ y: Int) -> UnsafeMutablePointer<UInt8> { base + y * stride }
}

/// The receiver of an image augmentation's result.
public struct ImageSink {
  private let sink: UnsafeMutablePointer<clip_image_sink>

  init(_ sink: UnsafeMutablePointer<clip_image_sink>) { self.sink = sink }

  /// Allocates the memory of the result, once in each call of apply. The host replaces the message of a failure.
  public func allocate(width: Int, height: Int, _ format: clip_pixel_format) throws(PluginFailure) -> Canvas {
    var stride = 0
    guard let base = sink.pointee.allocate(sink, UInt32(clamping: width), UInt32(clamping: height), format, &stride)
    else {
      throw PluginFailure(CLIP_PLUGIN, "the host refused memory for the result")
    }
    return Canvas(stride: stride, base: base)
  }

  /// Resizes `part` to width x height RGB pixels as Pillow does, and writes them to `canvas`.
  public func resize(
    _ part: Pixels, _ resample: clip_resample, width: Int, height: Int, into canvas: Canvas
  ) throws(PluginFailure) {
    var view = part.view
    guard
      sink.pointee.resize(
        sink, &view, resample, UInt32(clamping: width), UInt32(clamping: height), canvas.base, canvas.stride) != 0
    else { throw PluginFailure(CLIP_PLUGIN, "the host refused to resize the image") }
  }
}

/// The receiver of a text augmentation's result.
public struct TextSink {
  private let sink: UnsafeMutablePointer<clip_text_sink>

  init(_ sink: UnsafeMutablePointer<clip_text_sink>) { self.sink = sink }

  public func append(_ bytes: UnsafeBufferPointer<UInt8>) throws(PluginFailure) {
    guard let base = bytes.baseAddress else { return }
    let text = UnsafeRawPointer(base).assumingMemoryBound(to: CChar.self)
    guard sink.pointee.append(sink, text, bytes.count) != 0 else {
      throw PluginFailure(CLIP_PLUGIN, "the host refused to append to the result")
    }
  }

  /// Counts a text that is left unchanged because a resource of the augmentation, such as a translator, failed.
  public func countFailure() {
    guard sink.pointee.struct_size >= UInt32(MemoryLayout<clip_text_sink>.size) else { return }
    sink.pointee.count_failure(sink)
  }

  public func append(_ bytes: [UInt8]) throws(PluginFailure) {
    // withUnsafeBufferPointer does not pass on typed errors.
    let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
    defer { copy.deallocate() }
    _ = copy.initialize(from: bytes)
    try append(UnsafeBufferPointer(copy))
  }
}

/// The random numbers of one call of apply; see clip_random.
public struct Random {
  private let random: UnsafeMutablePointer<clip_random>

  init(_ random: UnsafeMutablePointer<clip_random>) { self.random = random }

  public func bits() -> UInt32 { random.pointee.bits(random) }
  /// A number in [0, 1).
  public func uniform() -> Double { random.pointee.uniform(random) }
  /// A number in [low, high).
  public func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * uniform() }
  /// An integer in [0, n).
  public func below(_ n: Int) -> Int { Int(random.pointee.below(random, UInt32(clamping: n))) }
  /// An integer of a range of at most 2^32 - 1 integers.
  public func integer(in range: ClosedRange<Int>) -> Int { range.lowerBound + below(range.count) }
  /// Normally distributed with mean 0 and standard deviation 1.
  public func normal() -> Double { random.pointee.normal(random) }
  /// The integers 0 to n - 1 in random order (Fisher-Yates shuffle).
  public func permutation(_ n: Int) -> [Int] {
    var order = Array(0..<n)
    for last in stride(from: n - 1, to: 0, by: -1) { order.swapAt(last, below(last + 1)) }
    return order
  }
}
