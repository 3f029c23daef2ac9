import CClip

/// An image augmentation with the settings of one step. Several threads may call `apply` at once.
///
///     table.add(
///       id: "example.augment.invert", op: "invert", description: "The negative",
///       settings: [.number("strength", 1, 0...1, "0 leaves the image, 1 inverts it")],
///       image: { create($1, $2, $3, Invert.self) })
public protocol ImageAugmentation {
  init(_ settings: Settings) throws(PluginFailure)

  /// Writes the new image to memory that `sink` allocates. If it allocates none, the image stays as it is.
  func apply(_ image: Pixels, _ sink: ImageSink, _ random: Random) throws(PluginFailure)
}

/// A text augmentation with the settings of one step, as ImageAugmentation.
public protocol TextAugmentation {
  init(_ settings: Settings) throws(PluginFailure)

  /// Appends the new text to `sink`. `text` is UTF-8 without NUL.
  func apply(_ text: UnsafeBufferPointer<UInt8>, _ sink: TextSink, _ random: Random) throws(PluginFailure)
}

/// The type of `clip_augmentation.create`.
public typealias Create =
  @convention(c) (
    UnsafePointer<clip_augmentation>?, UnsafePointer<clip_settings>?, UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
    UnsafeMutablePointer<clip_plugin_error>?
  ) -> clip_status

/// The body of an image augmentation's `create`.
public func create<Augmentation: ImageAugmentation>(
  _ settings: UnsafePointer<clip_settings>?, _ instance: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
  _ error: UnsafeMutablePointer<clip_plugin_error>?, _ kind: Augmentation.Type
) -> clip_status {
  create(settings, instance, error) { settings throws(PluginFailure) in
    let augmentation = try Augmentation(settings)
    return ImageStep { image, sink, random throws(PluginFailure) in try augmentation.apply(image, sink, random) }
  }
}

/// The body of a text augmentation's `create`.
public func create<Augmentation: TextAugmentation>(
  _ settings: UnsafePointer<clip_settings>?, _ instance: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
  _ error: UnsafeMutablePointer<clip_plugin_error>?, _ kind: Augmentation.Type
) -> clip_status {
  create(settings, instance, error) { settings throws(PluginFailure) in
    let augmentation = try Augmentation(settings)
    return TextStep { text, sink, random throws(PluginFailure) in try augmentation.apply(text, sink, random) }
  }
}

private func create(
  _ settings: UnsafePointer<clip_settings>?, _ instance: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
  _ error: UnsafeMutablePointer<clip_plugin_error>?, _ make: (Settings) throws(PluginFailure) -> AnyObject
) -> clip_status {
  reporting(error) { () throws(PluginFailure) in
    guard let settings, let instance else { throw PluginFailure(CLIP_INVALID_ARGUMENT, "create: found a null pointer") }
    instance.pointee = Unmanaged.passRetained(try make(Settings(settings))).toOpaque()
  }
}

/// The instance behind the host's pointer.
private final class ImageStep {
  let apply: (Pixels, ImageSink, Random) throws(PluginFailure) -> Void

  init(_ apply: @escaping (Pixels, ImageSink, Random) throws(PluginFailure) -> Void) { self.apply = apply }
}

private final class TextStep {
  let apply: (UnsafeBufferPointer<UInt8>, TextSink, Random) throws(PluginFailure) -> Void

  init(_ apply: @escaping (UnsafeBufferPointer<UInt8>, TextSink, Random) throws(PluginFailure) -> Void) {
    self.apply = apply
  }
}

extension PluginTable {
  /// Adds an image augmentation. `formats` are the pixel formats that `apply` accepts, none for all; the host
  /// converts others. `probability` is the default of "p".
  public mutating func add(
    id: StaticString, op: StaticString, description: StaticString, probability: Double = 1,
    formats: [clip_pixel_format] = [CLIP_PIXELS_RGB], settings: [Setting] = [], image create: Create
  ) {
    var table = common(id, op, description, probability, settings, create)
    for format in formats { table.formats |= 1 << format.rawValue }
    table.destroy = { if let instance = $0 { Unmanaged<ImageStep>.fromOpaque(instance).release() } }
    table.apply_image = { instance, view, sink, random, error in
      guard let instance, let view, let sink, let random else {
        return fail(error, CLIP_INVALID_ARGUMENT, "apply_image: found a null pointer")
      }
      let step = Unmanaged<ImageStep>.fromOpaque(instance).takeUnretainedValue()
      return reporting(error) { () throws(PluginFailure) in
        try step.apply(Pixels(view.pointee), ImageSink(sink), Random(random))
      }
    }
    add(table)
  }

  /// Adds a text augmentation. `probability` is the default of "p".
  public mutating func add(
    id: StaticString, op: StaticString, description: StaticString, probability: Double = 1,
    settings: [Setting] = [], text create: Create
  ) {
    var table = common(id, op, description, probability, settings, create)
    table.destroy = { if let instance = $0 { Unmanaged<TextStep>.fromOpaque(instance).release() } }
    table.apply_text = { instance, text, size, sink, random, error in
      guard let instance, let text, let sink, let random else {
        return fail(error, CLIP_INVALID_ARGUMENT, "apply_text: found a null pointer")
      }
      let step = Unmanaged<TextStep>.fromOpaque(instance).takeUnretainedValue()
      let bytes = UnsafeBufferPointer(start: UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self), count: size)
      return reporting(error) { () throws(PluginFailure) in
        try step.apply(bytes, TextSink(sink), Random(random))
      }
    }
    add(table)
  }

  /// The fields that image and text augmentations share.
  private mutating func common(
    _ id: StaticString, _ op: StaticString, _ description: StaticString, _ probability: Double,
    _ settings: [Setting],
    _ create: Create
  ) -> clip_augmentation {
    var table = clip_augmentation()
    table.struct_size = UInt32(MemoryLayout<clip_augmentation>.size)
    table.id = id.cString
    table.op = op.cString
    table.description = description.cString
    table.probability = probability
    var declared: [clip_setting_info] = []
    for setting in settings { declared.append(setting.stored(in: &self)) }
    table.settings = UnsafePointer(keep(declared))
    table.setting_count = declared.count
    table.create = create
    return table
  }
}

/// A setting that an augmentation declares. The host checks the values of a pipeline against it.
public struct Setting {
  private var fields = clip_setting_info()
  private var numbers: [Double] = []
  private var choices: [StaticString] = []

  private init(_ name: StaticString, _ type: clip_setting_type, _ description: StaticString) {
    fields.name = name.cString
    fields.description = description.cString
    fields.type = type
  }

  public static func number(
    _ name: StaticString, _ usual: Double, _ range: ClosedRange<Double>, _ description: StaticString
  ) -> Setting {
    var setting = Setting(name, CLIP_SETTING_NUMBER, description)
    setting.fields.number = usual
    setting.setRange(range)
    return setting
  }

  public static func integer(
    _ name: StaticString, _ usual: Int32, _ range: ClosedRange<Int32>, _ description: StaticString
  ) -> Setting {
    var setting = Setting(name, CLIP_SETTING_INTEGER, description)
    setting.fields.number = Double(usual)
    setting.setRange(Double(range.lowerBound)...Double(range.upperBound))
    return setting
  }

  public static func boolean(_ name: StaticString, _ usual: Bool, _ description: StaticString) -> Setting {
    var setting = Setting(name, CLIP_SETTING_BOOLEAN, description)
    setting.fields.number = usual ? 1 : 0
    return setting
  }

  /// The first choice is the default.
  public static func choice(_ name: StaticString, _ choices: [StaticString], _ description: StaticString) -> Setting {
    var setting = Setting(name, CLIP_SETTING_CHOICE, description)
    setting.choices = choices
    return setting
  }

  /// A list of numbers whose count is in `count`, each in `range`.
  public static func numbers(
    _ name: StaticString, _ usual: [Double], count: ClosedRange<Int>, _ range: ClosedRange<Double>,
    _ description: StaticString
  ) -> Setting {
    var setting = Setting(name, CLIP_SETTING_NUMBERS, description)
    setting.numbers = usual
    setting.setRange(range)
    setting.fields.count_low = count.lowerBound
    setting.fields.count_high = count.upperBound
    return setting
  }

  public static func text(_ name: StaticString, _ usual: StaticString, _ description: StaticString) -> Setting {
    var setting = Setting(name, CLIP_SETTING_TEXT, description)
    setting.fields.text = usual.cString
    return setting
  }

  private mutating func setRange(_ range: ClosedRange<Double>) {
    fields.low = range.lowerBound
    fields.high = range.upperBound
  }

  fileprivate func stored(in table: inout PluginTable) -> clip_setting_info {
    var kept = fields
    kept.numbers = UnsafePointer(table.keep(numbers))
    kept.number_count = kept.numbers == nil ? 0 : numbers.count
    var words: [UnsafePointer<CChar>?] = []
    for choice in choices { words.append(choice.cString) }
    kept.choices = UnsafePointer(table.keep(words))
    kept.choice_count = kept.choices == nil ? 0 : words.count
    return kept
  }
}
