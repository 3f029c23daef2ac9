import CClip
import CSystem
import ClipBase
import ClipFFI

/// A foreign function as an image augmentation with the settings of a step. Immutable.
final class ForeignImage {
  private let function: ForeignFunction
  /// The arguments that are the same in each call; 0 for the others.
  private var fixed: [UInt64] = []
  /// The number of each setting; 0 if it has none.
  private var numbers: [Double] = []
  private let arena = Arena()

  convenience init(_ function: ForeignFunction, _ settings: UnsafePointer<clip_settings>) throws(ClipError) {
    self.init(function)
    for setting in function.settings {
      let hasNumber =
        setting.type != CLIP_SETTING_NUMBERS && setting.type != CLIP_SETTING_TEXT
      numbers.append(hasNumber ? settings.pointee.number(settings, setting.name) : 0)
    }
    for argument in function.arguments {
      switch argument.binding {
      case .constant(let bits): fixed.append(bits)
      case .setting(let index, let element):
        fixed.append(try bits(of: index, as: argument.type, element, settings))
      default: fixed.append(0)
      }
    }
  }

  private init(_ function: ForeignFunction) { self.function = function }

  private func bits(
    of index: Int, as type: ForeignType, _ element: ForeignType?, _ settings: UnsafePointer<clip_settings>
  ) throws(ClipError) -> UInt64 {
    let setting = function.settings[index]
    if let element {
      var values: UnsafePointer<Double>?
      let count = settings.pointee.numbers(settings, setting.name, &values)
      return try foreignArray(Array(UnsafeBufferPointer(start: values, count: count)), element, setting.string, arena)
    }
    if type == .pointer {
      guard let text = settings.pointee.text(settings, setting.name) else { return 0 }
      return UInt64(UInt(bitPattern: arena.keep(Name(cString: text))))
    }
    guard let bits = type.bits(numbers[index]) else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "\(setting.string): \(plain(numbers[index])) does not fit the argument")
    }
    return bits
  }

  func apply(
    _ view: clip_image_view, _ sink: UnsafeMutablePointer<clip_image_sink>, _ random: UnsafeMutablePointer<clip_random>
  ) throws(ClipError) {
    let width = try side(function.outWidth, view)
    let height = try side(function.outHeight, view)
    var stride = 0
    guard let output = sink.pointee.allocate(sink, width, height, function.format.c, &stride) else {
      throw ClipError(CLIP_PLUGIN, "no memory for the result")
    }
    if function.isInPlace {
      for y in 0..<Int(view.height) { memcpy(output + y * stride, view.pixels + y * view.stride, stride) }
    }
    var slots = fixed
    for (index, argument) in function.arguments.enumerated() {
      func set(_ value: Int) throws(ClipError) {
        guard let bits = argument.type.bits(value) else {
          throw ClipError(CLIP_LIMIT, "\(function.symbol.string): argument \(index): \(value) does not fit its type")
        }
        slots[index] = bits
      }
      switch argument.binding {
      case .pixels: slots[index] = UInt64(UInt(bitPattern: function.isInPlace ? UnsafePointer(output) : view.pixels))
      case .outPixels: slots[index] = UInt64(UInt(bitPattern: output))
      case .width: try set(Int(view.width))
      case .height: try set(Int(view.height))
      case .stride: try set(function.isInPlace ? stride : view.stride)
      case .outWidth: try set(Int(width))
      case .outHeight: try set(Int(height))
      case .outStride: try set(stride)
      case .random(let low, let high): slots[index] = try draw(argument.type, number(low), number(high), random)
      default: break
      }
    }
    let result = withUnsafeTemporaryAllocation(of: UInt64.self, capacity: ForeignSignature.maxArguments) { places in
      for (index, bits) in slots.enumerated() { places[index] = bits }
      return places.baseAddress.map { function.signature.call(function.pointer, $0) } ?? 0
    }
    if let failure = function.failure(result) {
      throw ClipError(CLIP_PLUGIN, "\(function.symbol.string) failed: \(failure)")
    }
  }

  private func number(_ value: ForeignFunction.Value) -> Double {
    switch value {
    case .number(let number): number
    case .setting(let index): numbers[index]
    }
  }

  private func side(_ side: ForeignFunction.Side, _ view: clip_image_view) throws(ClipError) -> UInt32 {
    switch side {
    case .width: return view.width
    case .height: return view.height
    case .value(let value):
      guard let pixels = UInt32(exactly: number(value)), pixels > 0 else {
        throw ClipError(
          CLIP_INVALID_ARGUMENT, "a side of the result: expected at least 1, found \(plain(number(value)))")
      }
      return pixels
    }
  }

  /// An integer in [low, high], or a number in [low, high).
  private func draw(
    _ type: ForeignType, _ low: Double, _ high: Double, _ random: UnsafeMutablePointer<clip_random>
  ) throws(ClipError) -> UInt64 {
    guard low <= high else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT, "random: expected low to be at most high, found \(plain(low)) and \(plain(high))")
    }
    if type.integers != nil {
      guard let first = Int(exactly: low.rounded(.up)), let last = Int(exactly: high.rounded(.down)), first <= last
      else {
        throw ClipError(
          CLIP_INVALID_ARGUMENT, "random: expected an integer from \(plain(low)) to \(plain(high)), there is none")
      }
      // The manifest's reader allows fewer than 2^32 integers.
      let step = random.pointee.below(random, UInt32(clamping: last &- first &+ 1))
      return type.bits(first &+ Int(step)) ?? 0
    }
    return type.bits(low + (high - low) * random.pointee.uniform(random)) ?? 0
  }
}

/// Numbers converted to an array of C numbers in `arena`. Returns its address.
func foreignArray(_ numbers: [Double], _ element: ForeignType, _ name: String, _ arena: Arena) throws(ClipError)
  -> UInt64
{
  var bytes: [UInt8] = []
  for number in numbers {
    guard let bits = element.bits(number) else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "\(name): \(plain(number)) does not fit the elements' type")
    }
    for byte in 0..<element.byteCount { bytes.append(UInt8(truncatingIfNeeded: bits >> UInt64(8 * byte))) }
  }
  return UInt64(UInt(bitPattern: arena.keep(bytes: bytes)))
}

extension clip_setting_info {
  /// Its name.
  var string: String { name.map { String(cString: $0) } ?? "" }
}
