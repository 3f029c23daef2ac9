import CClip

/// Checks an augmentation's table when its plugin is loaded, so that users of the table need not.
enum AugmentationTable {
  /// The first error of a table of sufficient size; nil if there is none.
  static func problem(in facts: clip_augmentation, _ kind: clip_plugin_kind) -> String? {
    guard facts.id != nil, facts.description != nil else {
      return "expected an id and a description, found a null pointer"
    }
    let isImage = kind == CLIP_KIND_IMAGE_AUGMENTATION
    guard (facts.apply_image != nil) == isImage, (facts.apply_text != nil) != isImage else {
      return
        "expected apply_\(isImage ? "image" : "text") alone, found \(facts.apply_image != nil && facts.apply_text != nil ? "both" : "another")"
    }
    guard let op = facts.op.map({ Name(cString: $0) }), PluginNames.isWord(op) else {
      return
        "expected an op of a-z, 0-9 and '_', found \(facts.op.map { "\"" + String(cString: $0) + "\"" } ?? "a null pointer")"
    }
    guard facts.probability >= 0, facts.probability <= 1 else {
      return "\(op.string): expected a probability from 0 to 1, found \(facts.probability)"
    }
    let formats: UInt32 = 0b111110
    guard facts.formats & ~formats == 0 else {
      return "\(op.string): expected bits of clip_pixel_format, found \(facts.formats)"
    }
    guard (0...64).contains(facts.setting_count), facts.settings != nil || facts.setting_count == 0 else {
      return
        "\(op.string): expected at most 64 settings, found \(facts.settings == nil ? "a null pointer" : "\(UInt(bitPattern: facts.setting_count))")"
    }
    let settings = UnsafeBufferPointer(start: facts.settings, count: facts.setting_count)
    for (index, setting) in settings.enumerated() {
      guard let name = setting.name.map({ Name(cString: $0) }), PluginNames.isWord(name),
        !PluginNames.reserved.contains(name)
      else {
        return "\(op.string): setting \(index): expected a name of a-z, 0-9 and '_' that the pipeline does not use"
      }
      for earlier in settings.prefix(index) {
        if let other = earlier.name, Name(cString: other) == name {
          return "\(op.string): two settings are named \(name.string)"
        }
      }
      if let problem = AugmentationTable.problem(in: setting) { return "\(op.string): \(name.string): \(problem)" }
    }
    return nil
  }

  /// The op's name, if one of `others` already has it.
  static func clash(_ item: PluginRegistry.Item, _ others: [PluginRegistry.Item]) -> String? {
    guard isAugmentation(item) else { return nil }
    let op = name(of: item)
    let known = others.first { isAugmentation($0) && (name(of: $0) == op || Name(cString: $0.id) == op) }
    guard let known else { return nil }
    return "the op \(op.string) was already loaded from " + (known.plugin?.place ?? "the library")
  }

  private static func name(of item: PluginRegistry.Item) -> Name {
    item.table.assumingMemoryBound(to: clip_augmentation.self).pointee.op.map { Name(cString: $0) } ?? ""
  }

  private static func isAugmentation(_ item: PluginRegistry.Item) -> Bool {
    item.kind == CLIP_KIND_IMAGE_AUGMENTATION || item.kind == CLIP_KIND_TEXT_AUGMENTATION
  }

  /// The first error in a setting's declaration: its type, its range, its default; nil if there is none.
  private static func problem(in setting: clip_setting_info) -> String? {
    guard setting.description != nil else { return "expected a description, found a null pointer" }
    switch setting.type {
    case CLIP_SETTING_NUMBER, CLIP_SETTING_INTEGER:
      guard setting.low <= setting.number, setting.number <= setting.high else {
        return
          "expected a default from \(plain(setting.low)) to \(plain(setting.high)), found \(plain(setting.number))"
      }
      guard
        setting.type == CLIP_SETTING_NUMBER || setting.number.rounded() == setting.number
      else {
        return "expected an integer for its default, found \(plain(setting.number))"
      }
    case CLIP_SETTING_BOOLEAN:
      guard setting.number == 0 || setting.number == 1 else {
        return "expected a default of 0 or 1, found \(plain(setting.number))"
      }
    case CLIP_SETTING_CHOICE:
      guard let choices = setting.choices, (1...1000).contains(setting.choice_count) else {
        return "expected 1 to 1000 choices"
      }
      for index in 0..<setting.choice_count where choices[index] == nil { return "choice \(index) is a null pointer" }
      guard let chosen = Int(exactly: setting.number), (0..<setting.choice_count).contains(chosen) else {
        return "expected a default below \(setting.choice_count), found \(plain(setting.number))"
      }
    case CLIP_SETTING_NUMBERS:
      guard setting.low <= setting.high, setting.count_low <= setting.count_high, setting.count_high <= 65536
      else {
        return "expected a range and at most 65536 numbers"
      }
      guard setting.number_count >= setting.count_low, setting.number_count <= setting.count_high,
        setting.numbers != nil || setting.number_count == 0
      else {
        return
          "expected a default of \(setting.count_low) to \(setting.count_high) numbers, found \(setting.number_count)"
      }
      for number in UnsafeBufferPointer(start: setting.numbers, count: setting.number_count)
      where !(setting.low <= number && number <= setting.high) {
        return "expected defaults from \(plain(setting.low)) to \(plain(setting.high)), found \(plain(number))"
      }
    case CLIP_SETTING_TEXT:
      guard setting.text != nil else { return "expected a default text, found a null pointer" }
    default: return "a setting's type \(setting.type.rawValue) is not known to this version"
    }
    return nil
  }
}
