import CClip
import CSystem
import ClipBase
import ClipFFI

/// Reads one function of a manifest and checks it before anything is called.
struct ForeignReader {
  let reader: ConfigReader
  let kind: ForeignFunction.Kind
  let settings: ForeignSettings
  let arena: Arena

  init(_ reader: ConfigReader, _ arena: Arena) throws(ClipError) {
    self.reader = reader
    self.arena = arena
    switch try reader.string("kind", "") {
    case "image_augmentation": kind = .imageAugmentation
    case "map": kind = .map
    default: throw reader.error(CLIP_FORMAT, "kind", "image_augmentation or map")
    }
    let common: [Name] = ["kind", "id", "description", "symbol", "result", "arguments", "settings"]
    try reader.allow(common + (kind == .map ? [] : ["op", "probability", "pixels", "output"]))
    settings = try ForeignSettings(reader, arena)
  }

  func function(in handle: UnsafeMutableRawPointer, _ library: LibFFI) throws(ClipError) -> ForeignFunction {
    let symbol = try reader.string("symbol", "")
    guard !symbol.isEmpty, !symbol.utf8.contains(0) else {
      throw reader.error(CLIP_FORMAT, "symbol", "a function's name")
    }
    let arguments = try self.arguments()
    let (result, outcome) = try self.result()
    try check(arguments, result, outcome)
    guard let pointer = symbol.string.withCString({ dlsym(handle, $0) }) else {
      throw ClipError(CLIP_PLUGIN, "\(reader.place): \(reader.prefix)symbol: " + loaderMessage())
    }
    let signature = try ForeignSignature(library, result: result, arguments: arguments.map { $0.type })
    return ForeignFunction(
      kind: kind, symbol: symbol, pointer: pointer, signature: signature, arguments: arguments, outcome: outcome,
      settings: settings.list, settingErrors: settings.errors, format: try format(),
      outWidth: try side("width", .width), outHeight: try side("height", .height))
  }

  // MARK: Arguments

  private func arguments() throws(ClipError) -> [ForeignFunction.Argument] {
    guard let list = reader.json["arguments"]?.array, list.count <= ForeignSignature.maxArguments else {
      throw reader.error(CLIP_FORMAT, "arguments", "a list of at most \(ForeignSignature.maxArguments) arguments")
    }
    var arguments: [ForeignFunction.Argument] = []
    for (index, json) in list.enumerated() {
      let argument = try ConfigReader(json, place: reader.place, prefix: "\(reader.prefix)arguments[\(index)].")
      guard let type = argument.json["type"]?.string.flatMap({ ForeignType($0) }), type != .void else {
        throw argument.error(CLIP_FORMAT, "type", "one of \(ForeignType.list), and not void")
      }
      arguments.append(ForeignFunction.Argument(type: type, binding: try binding(argument, type)))
    }
    return arguments
  }

  private func binding(_ argument: ConfigReader, _ type: ForeignType) throws(ClipError) -> ForeignFunction.Binding {
    guard let word = argument.json["bind"]?.string else { throw argument.error(CLIP_FORMAT, "bind", "one of \(words)") }
    for named in ForeignFunction.Binding.named(kind) where named.word == word {
      try argument.allow(["type", "bind"])
      guard named.binding.isPointer == (type == .pointer) else {
        throw argument.error(
          CLIP_FORMAT, "type",
          named.binding.isPointer ? "pointer for \(word.string)" : "a type of numbers for \(word.string)")
      }
      return named.binding
    }
    switch word {
    case "setting":
      try argument.allow(["type", "bind", "setting", "element"])
      return try setting(argument, type)
    case "constant":
      try argument.allow(["type", "bind", "value", "element"])
      return .constant(try constant(argument, type))
    case "random" where kind == .imageAugmentation:
      try argument.allow(["type", "bind", "low", "high"])
      guard type.isNumber else { throw argument.error(CLIP_FORMAT, "type", "a type of numbers for random") }
      return .random(low: try value("low", argument, type), high: try value("high", argument, type))
    default: throw argument.error(CLIP_FORMAT, "bind", "one of \(words)")
    }
  }

  private func setting(_ argument: ConfigReader, _ type: ForeignType) throws(ClipError) -> ForeignFunction.Binding {
    let index = try settingIndex("setting", argument)
    let declared = settings.list[index].type
    switch (declared, type) {
    case (CLIP_SETTING_NUMBERS, .pointer):
      guard kind == .imageAugmentation else { break }
      return .setting(index, element: try element(argument, settings.list[index]))
    case (CLIP_SETTING_TEXT, .pointer), (CLIP_SETTING_CHOICE, .pointer):
      guard kind == .imageAugmentation else { break }
      return .setting(index, element: nil)
    case (CLIP_SETTING_NUMBERS, _), (CLIP_SETTING_TEXT, _), (_, .pointer): break
    default:
      try fits(settings.list[index], type, argument, "type")
      return .setting(index, element: nil)
    }
    throw argument.error(
      CLIP_FORMAT, "type", "a type that the setting \(settings.names[index].string) can be given as")
  }

  /// The element type of an array, which must hold every value of the setting.
  private func element(_ argument: ConfigReader, _ setting: clip_setting_info?) throws(ClipError) -> ForeignType {
    guard let element = argument.json["element"]?.string.flatMap({ ForeignType($0) }), element.isNumber else {
      throw argument.error(CLIP_FORMAT, "element", "the type of the numbers that the pointer leads to")
    }
    if let setting, let integers = element.integers {
      guard setting.low >= Double(integers.lowerBound), setting.high <= Double(integers.upperBound) else {
        throw argument.error(
          CLIP_FORMAT, "element", "a type for numbers from \(plain(setting.low)) to \(plain(setting.high))")
      }
    }
    return element
  }

  private func constant(_ argument: ConfigReader, _ type: ForeignType) throws(ClipError) -> UInt64 {
    guard let value = argument.json.object?.first(where: { $0.key == "value" })?.value else {
      throw argument.error(CLIP_FORMAT, "value", "the constant")
    }
    if type == .pointer {
      switch value {
      case .null: return 0
      case .string(let text) where !text.utf8.contains(0): return UInt64(UInt(bitPattern: arena.keep(text)))
      case .array(let list):
        let element = try element(argument, nil)
        var numbers: [Double] = []
        for json in list {
          guard let number = json.number else { throw argument.error(CLIP_FORMAT, "value", "numbers") }
          numbers.append(number)
        }
        return try foreignArray(numbers, element, "\(argument.place): \(argument.prefix)value", arena)
      default: throw argument.error(CLIP_FORMAT, "value", "null, a text or a list of numbers")
      }
    }
    let bits = value.int.map { type.bits($0) } ?? value.number.map { type.bits($0) }
    guard let bits, let bits else { throw argument.error(CLIP_FORMAT, "value", "a number that fits the type") }
    return bits
  }

  /// A number that fits `type`, or {"setting": name} with a setting whose values all fit it.
  private func value(_ key: StaticString, _ argument: ConfigReader, _ type: ForeignType) throws(ClipError)
    -> ForeignFunction.Value
  {
    if let number = argument.json[key]?.number {
      guard number.isFinite, type.integers == nil || type.bits(number) != nil, abs(number) < 0x1p31 else {
        throw argument.error(CLIP_FORMAT, key, "a number that fits the type, below 2^31")
      }
      return .number(number)
    }
    guard let object = try argument.object(key) else {
      throw argument.error(CLIP_FORMAT, key, "a number or a setting")
    }
    try object.allow(["setting"])
    let index = try settingIndex("setting", object)
    guard abs(settings.list[index].low) < 0x1p31, abs(settings.list[index].high) < 0x1p31 else {
      throw object.error(CLIP_FORMAT, "setting", "one whose range is below 2^31")
    }
    try fits(settings.list[index], type, object, "setting")
    return .setting(index)
  }

  private func settingIndex(_ key: Name, _ object: ConfigReader) throws(ClipError) -> Int {
    guard let name = object.json[key]?.string, let index = settings.names.firstIndex(of: name) else {
      var known = ""
      for name in settings.names { known += (known.isEmpty ? "" : ", ") + name.string }
      throw object.error(CLIP_FORMAT, key, "a setting that is declared (\(known.isEmpty ? "none" : known))")
    }
    return index
  }

  /// Checks that `type` can hold every value of a setting.
  private func fits(_ setting: clip_setting_info, _ type: ForeignType, _ object: ConfigReader, _ key: Name)
    throws(ClipError)
  {
    let declared = setting.type
    guard declared != CLIP_SETTING_NUMBERS, declared != CLIP_SETTING_TEXT else {
      throw object.error(CLIP_FORMAT, key, "a setting that is one number")
    }
    guard let integers = type.integers else { return }
    guard declared != CLIP_SETTING_NUMBER, setting.low >= Double(integers.lowerBound),
      setting.high <= Double(integers.upperBound)
    else {
      throw object.error(
        CLIP_FORMAT, key,
        "a type for what \(setting.string) may be, \(declared == CLIP_SETTING_NUMBER ? "numbers" : "integers") from \(plain(setting.low)) to \(plain(setting.high))"
      )
    }
  }

  private var words: String {
    var text = ""
    for named in ForeignFunction.Binding.named(kind) { text += named.word.string + ", " }
    return text + (kind == .map ? "setting or constant" : "random, setting or constant")
  }

  // MARK: The rest

  private func result() throws(ClipError) -> (ForeignType, ForeignFunction.Outcome) {
    let word = try reader.string("result", "")
    switch word {
    case "status": return (.int32, .status)
    case "truth": return (.int32, .truth)
    case "pointer": return (.pointer, .pointer)
    default:
      guard let type = ForeignType(word) else {
        throw reader.error(CLIP_FORMAT, "result", "status, truth, or one of \(ForeignType.list)")
      }
      return (type, kind == .map && type != .void ? .value : .ignored)
    }
  }

  private func format() throws(ClipError) -> ImageView.Format {
    switch try reader.string("pixels", "rgb") {
    case "rgb": return .rgb
    case "rgba": return .rgba
    case "bgr": return .bgr
    case "bgra": return .bgra
    case "gray": return .gray
    default: throw reader.error(CLIP_FORMAT, "pixels", "rgb, rgba, bgr, bgra or gray")
    }
  }

  private func side(_ key: StaticString, _ usual: ForeignFunction.Side) throws(ClipError) -> ForeignFunction.Side {
    guard let output = try reader.object("output") else { return usual }
    try output.allow(["width", "height"])
    switch output.json[key]?.string {
    case "width": return .width
    case "height": return .height
    case .some: throw output.error(CLIP_FORMAT, key, "width, height, a number or {\"setting\": name}")
    case nil: return output.has(key) ? .value(try value(key, output, .uint32)) : usual
    }
  }

  /// Checks that everything the kind needs is bound exactly once, and nothing else.
  private func check(
    _ arguments: [ForeignFunction.Argument], _ result: ForeignType, _ outcome: ForeignFunction.Outcome
  ) throws(ClipError) {
    func count(_ matches: (ForeignFunction.Binding) -> Bool) -> Int { arguments.filter { matches($0.binding) }.count }
    func wrong(_ expected: String) -> ClipError {
      ClipError(CLIP_FORMAT, "\(reader.place): \(reader.prefix)arguments: expected \(expected)")
    }
    switch kind {
    case .imageAugmentation:
      guard count({ if case .pixels = $0 { true } else { false } }) == 1 else {
        throw wrong("one argument bound to pixels")
      }
      let outs = count { if case .outPixels = $0 { true } else { false } }
      guard outs <= 1 else { throw wrong("at most one argument bound to out_pixels") }
      guard outs == 1 || !reader.has("output") else {
        throw wrong("an argument bound to out_pixels, for a result of another size")
      }
    case .map:
      let (x, input) = (
        count { if case .x = $0 { true } else { false } }, count { if case .input = $0 { true } else { false } }
      )
      let output = count { if case .output = $0 { true } else { false } }
      let counts = count { if case .count = $0 { true } else { false } }
      let byNumber = x == 1 && input + output + counts == 0
      guard byNumber || (x == 0 && input == 1 && output == 1 && counts == 1) else {
        throw wrong("one argument bound to x; or one to input, one to output and one to count")
      }
      if byNumber {
        guard result == .float || result == .double else {
          throw reader.error(CLIP_FORMAT, "result", "float or double")
        }
        for argument in arguments {
          if case .x = argument.binding, argument.type != .float, argument.type != .double {
            throw wrong("float or double for x")
          }
        }
      } else {
        guard result == .void else { throw reader.error(CLIP_FORMAT, "result", "void") }
        for argument in arguments {
          if case .count = argument.binding, argument.type.byteCount < 4 || argument.type.integers == nil {
            throw wrong("an integer of 32 or 64 bits for count")
          }
        }
      }
    }
    for (index, name) in settings.names.enumerated() where !isUsed(index, arguments) {
      throw ClipError(
        CLIP_FORMAT, "\(reader.place): \(reader.prefix)settings[\(index)]: \(name.string) is bound to nothing")
    }
  }

  private func isUsed(_ setting: Int, _ arguments: [ForeignFunction.Argument]) -> Bool {
    for argument in arguments {
      switch argument.binding {
      case .setting(setting, _), .random(.setting(setting), _), .random(_, .setting(setting)): return true
      default: continue
      }
    }
    for key in ["width", "height"] as [Name] {
      if let name = reader.json["output"]?[key]?["setting"]?.string, name == settings.names[setting] {
        return true
      }
    }
    return false
  }
}
