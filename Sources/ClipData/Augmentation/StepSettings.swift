import CClip
import CSystem

/// The values of one step's settings: from its JSON, or the declared defaults. An augmentation reads them through
/// clip_settings while it is created.
final class StepSettings {
  private struct Slot {
    let setting: clip_setting_info
    var number: Double
    var numbers: UnsafeMutableBufferPointer<Double>?
    var text: UnsafeMutablePointer<CChar>?
  }

  private var slots: [Slot] = []
  /// The first undeclared setting that the plugin asked for.
  private(set) var mistake: String?

  /// Sets the defaults.
  init(_ table: clip_augmentation) {
    for setting in UnsafeBufferPointer(start: table.settings, count: table.setting_count) {
      slots.append(Slot(setting: setting, number: setting.number, numbers: nil, text: nil))
    }
  }

  deinit {
    for slot in slots {
      slot.numbers?.deallocate()
      free(slot.text)
    }
  }

  /// Sets the value of `key`. `place` names the step in errors.
  func set(_ key: Name, _ value: JSON, place: String) throws(ClipError) {
    guard let index = slots.firstIndex(where: { Name(cString: $0.setting.name) == key }) else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "\(place): unknown setting \"\(key.string)\"; it has \(names)")
    }
    let setting = slots[index].setting
    func wrong(_ expected: String) -> ClipError {
      ClipError(CLIP_INVALID_ARGUMENT, "\(place): \(key.string): expected \(expected), found \(value.kind)")
    }
    let range = "from \(plain(setting.low)) to \(plain(setting.high))"
    switch setting.type {
    case CLIP_SETTING_NUMBER:
      guard let number = value.number, setting.low <= number, number <= setting.high else {
        throw wrong("a number \(range)")
      }
      slots[index].number = number
    case CLIP_SETTING_INTEGER:
      guard let number = value.int.map({ Double($0) }), setting.low <= number, number <= setting.high else {
        throw wrong("an integer \(range)")
      }
      slots[index].number = number
    case CLIP_SETTING_BOOLEAN:
      guard let flag = value.bool else { throw wrong("true or false") }
      slots[index].number = flag ? 1 : 0
    case CLIP_SETTING_CHOICE:
      var words = ""
      for choice in 0..<setting.choice_count {
        guard let word = setting.choices[choice] else { continue }
        if let wanted = value.string, Name(cString: word) == wanted {
          slots[index].number = Double(choice)
          return
        }
        words += (words.isEmpty ? "" : ", ") + "\"" + String(cString: word) + "\""
      }
      throw wrong("one of " + words)
    case CLIP_SETTING_NUMBERS:
      let (low, high) = (setting.count_low, setting.count_high)
      let expected = "\(low == high ? "\(low)" : "\(low) to \(high)") numbers \(range)"
      // A single number is a list of one.
      let elements = value.array ?? (value.number == nil ? nil : [value])
      guard let elements, elements.count >= low, elements.count <= high else {
        throw value.array == nil ? wrong(expected) : wrong(expected + ", not \(value.array?.count ?? 0)")
      }
      var numbers: [Double] = []
      for element in elements {
        guard let number = element.number, setting.low <= number, number <= setting.high else {
          throw ClipError(
            CLIP_INVALID_ARGUMENT, "\(place): \(key.string): expected \(expected), found \(element.kind) among them")
        }
        numbers.append(number)
      }
      let copy = UnsafeMutableBufferPointer<Double>.allocate(capacity: numbers.count)
      _ = copy.initialize(from: numbers)
      slots[index].numbers = copy
    default:
      guard let text = value.string, !text.utf8.contains(0) else { throw wrong("a text") }
      slots[index].text = text.string.withCString { strdup($0) }
    }
  }

  private var names: String {
    var text = ""
    for slot in slots { text += (text.isEmpty ? "" : ", ") + String(cString: slot.setting.name) }
    return text.isEmpty ? "none but p" : text + " and p"
  }

  // MARK: What plugins call

  /// Runs `body` with these settings as a clip_settings for plugins.
  func lend<Result>(_ body: (UnsafePointer<clip_settings>) -> Result) -> Result {
    defer { withExtendedLifetime(self) {} }
    var table = clip_settings(
      struct_size: UInt32(MemoryLayout<clip_settings>.size), host: Unmanaged.passUnretained(self).toOpaque(),
      number: { lent($0)?.number($1) ?? 0 }, numbers: { lent($0)?.numbers($1, $2) ?? 0 }, text: { lent($0)?.text($1) })
    return body(&table)
  }

  private func slot(_ name: UnsafePointer<CChar>?, _ types: [clip_setting_type], _ what: StaticString) -> Slot? {
    let wanted = name.map { Name(cString: $0) } ?? ""
    for slot in slots where Name(cString: slot.setting.name) == wanted {
      if types.contains(slot.setting.type) { return slot }
    }
    if mistake == nil { mistake = "it asks for \(what) \"\(wanted.string)\", which it does not declare" }
    return nil
  }

  fileprivate func number(_ name: UnsafePointer<CChar>?) -> Double {
    let types = [CLIP_SETTING_NUMBER, CLIP_SETTING_INTEGER, CLIP_SETTING_BOOLEAN, CLIP_SETTING_CHOICE]
    return slot(name, types, "a number")?.number ?? 0
  }

  fileprivate func numbers(
    _ name: UnsafePointer<CChar>?, _ values: UnsafeMutablePointer<UnsafePointer<Double>?>?
  ) -> Int {
    values?.pointee = nil
    guard let slot = slot(name, [CLIP_SETTING_NUMBERS], "numbers") else { return 0 }
    values?.pointee = slot.numbers.map { UnsafePointer($0.baseAddress) } ?? slot.setting.numbers
    return slot.numbers?.count ?? slot.setting.number_count
  }

  fileprivate func text(_ name: UnsafePointer<CChar>?) -> UnsafePointer<CChar>? {
    guard let slot = slot(name, [CLIP_SETTING_TEXT, CLIP_SETTING_CHOICE], "a text") else {
      return StaticString("").cString
    }
    if slot.setting.type == CLIP_SETTING_CHOICE {
      return slot.setting.choices[Int(slot.number)]
    }
    return slot.text.map { UnsafePointer($0) } ?? slot.setting.text
  }
}

private func lent(_ settings: UnsafePointer<clip_settings>?) -> StepSettings? {
  settings?.pointee.host.map { Unmanaged<StepSettings>.fromOpaque($0).takeUnretainedValue() }
}
