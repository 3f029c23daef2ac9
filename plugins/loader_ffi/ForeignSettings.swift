import CClip
import ClipBase
import ClipFFI

/// The settings that a manifest declares for a function, as clip_setting_info. Strings and lists are in an arena.
struct ForeignSettings {
  private(set) var list: [clip_setting_info] = []
  private(set) var errors: [UnsafePointer<CChar>] = []
  private(set) var names: [Name] = []

  init(_ function: ConfigReader, _ arena: Arena) throws(ClipError) {
    guard let value = function.json["settings"] else { return }
    guard let declared = value.array, declared.count <= 64 else {
      throw function.error(CLIP_FORMAT, "settings", "a list of at most 64 settings")
    }
    for (index, json) in declared.enumerated() {
      let reader = try ConfigReader(json, place: function.place, prefix: "\(function.prefix)settings[\(index)].")
      try reader.allow(["name", "type", "default", "low", "high", "count", "choices", "description"])
      let name = try reader.string("name", "")
      guard PluginNames.isWord(name), !PluginNames.reserved.contains(name) else {
        throw reader.error(CLIP_FORMAT, "name", "a-z, 0-9 and '_', and not a word of pipelines")
      }
      guard !names.contains(name) else { throw reader.error(CLIP_FORMAT, "name", "a name that no other setting has") }
      let setting = try ForeignSettings.setting(reader, name, arena)
      names.append(name)
      list.append(setting)
      let range = "from \(plain(setting.low)) to \(plain(setting.high))"
      errors.append(arena.keep(Name("setting \(index), \(name.string): expected a number " + range)))
    }
  }

  private static func setting(_ reader: ConfigReader, _ name: Name, _ arena: Arena) throws(ClipError)
    -> clip_setting_info
  {
    var setting = clip_setting_info()
    setting.name = arena.keep(name)
    setting.description = arena.keep(try reader.string("description", ""))
    let usual = reader.json["default"]
    func limit(_ key: StaticString) throws(ClipError) -> Double {
      try reader.number(key, .nan, -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude)
    }
    func setRange() throws(ClipError) {
      setting.low = try limit("low")
      setting.high = try limit("high")
      guard setting.low <= setting.high else {
        throw reader.error(CLIP_FORMAT, "low", "\"low\" and \"high\", low at most high")
      }
    }
    let type = try reader.string("type", "")
    switch type {
    case "number", "integer":
      setting.type = type == "number" ? CLIP_SETTING_NUMBER : CLIP_SETTING_INTEGER
      try setRange()
      guard let number = type == "number" ? usual?.number : usual?.int.map({ Double($0) }), number >= setting.low,
        number <= setting.high
      else { throw reader.error(CLIP_FORMAT, "default", "a number in the range") }
      setting.number = number
    case "boolean":
      setting.type = CLIP_SETTING_BOOLEAN
      setting.high = 1
      guard let flag = usual?.bool else { throw reader.error(CLIP_FORMAT, "default", "true or false") }
      setting.number = flag ? 1 : 0
    case "choice":
      setting.type = CLIP_SETTING_CHOICE
      var words: [UnsafePointer<CChar>?] = []
      for choice in reader.json["choices"]?.array ?? [] {
        guard let word = choice.string else { throw reader.error(CLIP_FORMAT, "choices", "a list of texts") }
        if let usual = usual?.string, usual == word { setting.number = Double(words.count) }
        words.append(arena.keep(word))
      }
      guard !words.isEmpty else { throw reader.error(CLIP_FORMAT, "choices", "a list of texts") }
      let first = reader.json["choices"]?.array?[Int(setting.number)].string
      guard let usual = usual?.string, usual == first else {
        throw reader.error(CLIP_FORMAT, "default", "one of the choices")
      }
      setting.choices = UnsafePointer(arena.keep(words))
      setting.choice_count = words.count
      setting.high = Double(words.count - 1)
    case "numbers":
      setting.type = CLIP_SETTING_NUMBERS
      try setRange()
      let counts = reader.json["count"]
      let both = counts?.array ?? (counts.map { [$0, $0] } ?? [])
      guard both.count == 2, let low = both[0].int, let high = both[1].int, low >= 0, low <= high, high <= 65536 else {
        throw reader.error(CLIP_FORMAT, "count", "a number, or [least, most]")
      }
      setting.count_low = low
      setting.count_high = high
      var numbers: [Double] = []
      for element in usual?.array ?? [] {
        guard let number = element.number, number >= setting.low, number <= setting.high else {
          throw reader.error(CLIP_FORMAT, "default", "numbers in the range")
        }
        numbers.append(number)
      }
      guard usual?.array != nil, numbers.count >= low, numbers.count <= high else {
        throw reader.error(CLIP_FORMAT, "default", "as many numbers as count says")
      }
      setting.numbers = UnsafePointer(arena.keep(numbers))
      setting.number_count = numbers.count
    case "text":
      setting.type = CLIP_SETTING_TEXT
      guard let text = usual?.string, !text.utf8.contains(0) else {
        throw reader.error(CLIP_FORMAT, "default", "a text")
      }
      setting.text = arena.keep(text)
    default: throw reader.error(CLIP_FORMAT, "type", "number, integer, boolean, choice, numbers or text")
    }
    return setting
  }
}

extension ConfigReader {
  /// Throws an error that lists `keys` if there is any other key.
  func allow(_ keys: [Name]) throws(ClipError) {
    for member in json.object ?? [] where !keys.contains(member.key) {
      var text = ""
      for key in keys { text += (text.isEmpty ? "" : ", ") + key.string }
      throw ClipError(CLIP_FORMAT, "\(place): \(prefix)\(member.key.string): expected only \(text)")
    }
  }
}
