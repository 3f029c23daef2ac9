import CClip
import Glibc

/// The host's side of augmentations, with guards around all of its memory.

/// A clip_random with its own generator.
final class TrialRandom {
  private var numbers: RandomNumbers

  init(seed: UInt64) { numbers = RandomNumbers(seed: seed) }

  private var bits: UInt32 { UInt32(truncatingIfNeeded: numbers.next() >> 32) }
  private var uniform: Double { Double(numbers.next() >> 11) * 0x1p-53 }

  func lend<Result>(_ body: (UnsafeMutablePointer<clip_random>) -> Result) -> Result {
    defer { withExtendedLifetime(self) {} }
    var table = clip_random(
      struct_size: UInt32(MemoryLayout<clip_random>.size), host: Unmanaged.passUnretained(self).toOpaque(),
      bits: { host($0?.pointee.host, TrialRandom.self)?.bits ?? 0 },
      uniform: { host($0?.pointee.host, TrialRandom.self)?.uniform ?? 0 },
      below: { random, n in
        guard n > 0, let host = host(random?.pointee.host, TrialRandom.self) else { return 0 }
        return UInt32(host.numbers.next() % UInt64(n))
      },
      normal: {
        guard let host = host($0?.pointee.host, TrialRandom.self) else { return 0 }
        return (-2 * log(1 - host.uniform)).squareRoot() * cos(2 * Double.pi * host.uniform)
      })
    return body(&table)
  }
}

/// A clip_settings with a value for each setting that the augmentation declares.
final class TrialSettings {
  enum Value {
    case number(Double)
    case numbers([Double])
    case text(String)
  }

  let parameters: [clip_setting_info]
  let values: [Value]
  /// The first undeclared setting that was read.
  private(set) var mistake: String?
  private var lists: [GuardedBytes?] = []
  private var texts: [GuardedBytes?] = []

  init(_ parameters: [clip_setting_info], _ values: [Value]) {
    self.parameters = parameters
    self.values = values
    for value in values {
      var (list, words) = ([Double](), "")
      if case .numbers(let numbers) = value { list = numbers }
      if case .text(let text) = value { words = text }
      lists.append(GuardedBytes(list.withUnsafeBytes { Array($0) }))
      texts.append(GuardedBytes(Array(words.utf8) + [0]))
    }
    // Undeclared settings are empty texts.
    texts.append(GuardedBytes([0]))
  }

  /// Protects the values, so that a plugin that kept a pointer to one crashes.
  func close() {
    for memory in lists + texts { memory?.close() }
  }

  /// For messages: "size 0.25, mode 2".
  var text: String {
    let parts = zip(parameters, values).map { parameter, value -> String in
      switch value {
      case .number(let number): "\(string(parameter.name)) \(number)"
      case .numbers(let numbers):
        "\(string(parameter.name)) \(numbers.prefix(4))\(numbers.count > 4 ? " of \(numbers.count)" : "")"
      case .text(let text): "\(string(parameter.name)) \"\(text.prefix(20))\""
      }
    }
    return parts.isEmpty ? "no parameters" : parts.joined(separator: ", ")
  }

  func lend<Result>(_ body: (UnsafePointer<clip_settings>) -> Result) -> Result {
    defer { withExtendedLifetime(self) {} }
    var table = clip_settings(
      struct_size: UInt32(MemoryLayout<clip_settings>.size), host: Unmanaged.passUnretained(self).toOpaque(),
      number: { host($0?.pointee.host, TrialSettings.self)?.number($1) ?? 0 },
      numbers: { host($0?.pointee.host, TrialSettings.self)?.numbers($1, $2) ?? 0 },
      text: { host($0?.pointee.host, TrialSettings.self)?.text($1) })
    return body(&table)
  }

  private func place(_ name: UnsafePointer<CChar>?, _ what: String) -> Int? {
    let wanted = string(name)
    if let index = parameters.firstIndex(where: { string($0.name) == wanted }) { return index }
    if mistake == nil { mistake = "create asks for \(what) \"\(wanted)\", which is not declared" }
    return nil
  }

  private func number(_ name: UnsafePointer<CChar>?) -> Double {
    guard let index = place(name, "a number") else { return 0 }
    if case .number(let number) = values[index] { return number }
    mistake = mistake ?? "create asks for a number \"\(string(name))\", which is declared as another type"
    return 0
  }

  private func numbers(_ name: UnsafePointer<CChar>?, _ target: UnsafeMutablePointer<UnsafePointer<Double>?>?) -> Int {
    target?.pointee = nil
    guard let index = place(name, "numbers") else { return 0 }
    guard case .numbers(let numbers) = values[index] else {
      mistake = mistake ?? "create asks for numbers \"\(string(name))\", which are declared as another type"
      return 0
    }
    target?.pointee = lists[index].map { UnsafeRawPointer($0.data).assumingMemoryBound(to: Double.self) }
    return numbers.count
  }

  private func text(_ name: UnsafePointer<CChar>?) -> UnsafePointer<CChar>? {
    guard let index = place(name, "a text") else { return characters(values.count) }
    if case .number(let number) = values[index], parameters[index].type == CLIP_SETTING_CHOICE {
      return parameters[index].choices?[min(Int(number), max(0, parameters[index].choice_count - 1))]
    }
    if case .text = values[index] { return characters(index) }
    mistake = mistake ?? "create asks for a text \"\(string(name))\", which is declared as another type"
    return characters(values.count)
  }

  private func characters(_ index: Int) -> UnsafePointer<CChar>? {
    texts[index].map { UnsafeRawPointer($0.data).assumingMemoryBound(to: CChar.self) }
  }
}

/// A clip_image_sink.
final class TrialImageSink {
  /// The most pixels that are allocated.
  private static let mostPixels = 1 << 21

  private let fill: UInt8
  private let refuses: Bool
  private(set) var memory: GuardedBytes?
  private(set) var width = 0
  private(set) var height = 0
  private(set) var stride = 0
  private(set) var channels = 0
  /// Why nothing was allocated; "" if that was this sink's choice.
  private(set) var refusal: String?

  init(fill: UInt8, refuses: Bool) {
    self.fill = fill
    self.refuses = refuses
  }

  func lend<Result>(_ body: (UnsafeMutablePointer<clip_image_sink>) -> Result) -> Result {
    defer { withExtendedLifetime(self) {} }
    var table = clip_image_sink(
      struct_size: UInt32(MemoryLayout<clip_image_sink>.size), host: Unmanaged.passUnretained(self).toOpaque(),
      allocate: { sink, width, height, format, stride in
        host(sink?.pointee.host, TrialImageSink.self)?.allocate(Int(width), Int(height), format, stride)
      },
      resize: { sink, view, resample, width, height, pixels, stride in
        host(sink?.pointee.host, TrialImageSink.self)?.resize(view, resample, Int(width), Int(height), pixels, stride)
          ?? 0
      })
    return body(&table)
  }

  private func allocate(
    _ width: Int, _ height: Int, _ format: clip_pixel_format, _ stride: UnsafeMutablePointer<Int>?
  ) -> UnsafeMutablePointer<UInt8>? {
    guard memory == nil else { return refuse("it asked for memory a second time") }
    guard let stride else { return refuse("it asked for memory without a place for the stride") }
    guard width > 0, height > 0, let channels = channelCount(format) else {
      return refuse("it asked for \(width) x \(height) pixels of format \(format.rawValue)")
    }
    guard !refuses, width.multipliedReportingOverflow(by: height).partialValue <= TrialImageSink.mostPixels,
      width <= TrialImageSink.mostPixels, height <= TrialImageSink.mostPixels
    else { return refuse("") }
    // Rows have gaps between them, and the last one ends at the protected page.
    self.stride = width * channels + 11
    (self.width, self.height, self.channels) = (width, height, channels)
    memory = GuardedBytes(count: self.stride * (height - 1) + width * channels, fill: fill)
    stride.pointee = self.stride
    return memory?.data ?? refuse("")
  }

  private func refuse(_ why: String) -> UnsafeMutablePointer<UInt8>? {
    if refusal == nil { refusal = why }
    return nil
  }

  /// Nearest neighbour for every request; the pixels are not checked here.
  private func resize(
    _ view: UnsafePointer<clip_image_view>?, _ resample: clip_resample, _ width: Int, _ height: Int,
    _ pixels: UnsafeMutablePointer<UInt8>?, _ stride: Int
  ) -> Int32 {
    guard let view = view?.pointee, let source = view.pixels, let pixels, let channels = channelCount(view.format),
      width > 0, height > 0, view.width > 0, view.height > 0, stride >= width * 3, resample.rawValue <= 3,
      width * height <= 4 * TrialImageSink.mostPixels
    else {
      _ = refuse("it asked for a resize of no image, to \(width) x \(height) or into rows of \(stride) bytes")
      return 0
    }
    for y in 0..<height {
      let line = source + y * Int(view.height) / height * (view.stride == 0 ? Int(view.width) * channels : view.stride)
      for x in 0..<width {
        let from = line + x * Int(view.width) / width * channels
        for channel in 0..<3 { pixels[y * stride + 3 * x + channel] = from[channels == 1 ? 0 : channel] }
      }
    }
    return 1
  }

  /// The pixels without gaps.
  var pixels: [UInt8] {
    guard let memory else { return [] }
    var result: [UInt8] = []
    for y in 0..<height {
      result += UnsafeBufferPointer(start: memory.data + y * stride, count: width * channels)
    }
    return result
  }

  /// Whether nothing was written before the image or between its rows.
  var isIntact: Bool {
    guard let memory else { return true }
    guard memory.isMarginIntact else { return false }
    for y in 0..<max(0, height - 1) {
      let end = memory.data + y * stride + width * channels
      for place in 0..<(stride - width * channels) where end[place] != fill { return false }
    }
    return true
  }
}

/// A clip_text_sink.
final class TrialTextSink {
  private static let mostBytes = 16 << 20

  private let refuses: Bool
  private(set) var bytes: [UInt8] = []
  private(set) var refusal: String?

  init(refuses: Bool) { self.refuses = refuses }

  func lend<Result>(_ body: (UnsafeMutablePointer<clip_text_sink>) -> Result) -> Result {
    defer { withExtendedLifetime(self) {} }
    var table = clip_text_sink(
      struct_size: UInt32(MemoryLayout<clip_text_sink>.size), host: Unmanaged.passUnretained(self).toOpaque(),
      append: { sink, bytes, size in
        guard let sink = host(sink?.pointee.host, TrialTextSink.self) else { return 0 }
        if sink.refuses || size > TrialTextSink.mostBytes - sink.bytes.count {
          sink.refusal = sink.refusal ?? ""
          return 0
        }
        guard bytes != nil || size == 0 else {
          sink.refusal = "it appended \(size) bytes at a null pointer"
          return 0
        }
        for index in 0..<size { if let bytes { sink.bytes.append(UInt8(bitPattern: bytes[index])) } }
        return 1
      }, count_failure: { _ in })
    return body(&table)
  }
}

/// Bytes of a pixel; nil for an unknown format.
func channelCount(_ format: clip_pixel_format) -> Int? {
  switch format {
  case CLIP_PIXELS_GRAY: 1
  case CLIP_PIXELS_RGB, CLIP_PIXELS_BGR: 3
  case CLIP_PIXELS_RGBA, CLIP_PIXELS_BGRA: 4
  default: nil
  }
}

private func host<T: AnyObject>(_ pointer: UnsafeMutableRawPointer?, _ type: T.Type) -> T? {
  pointer.map { Unmanaged<T>.fromOpaque($0).takeUnretainedValue() }
}
