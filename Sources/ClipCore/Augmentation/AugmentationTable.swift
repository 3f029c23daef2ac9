import CClip

/// Checks of an augmentation's table when its plugin is loaded, so that what uses it need not.
enum AugmentationTable {
  /// Keys of a step that no parameter may have.
  static let reserved: [Name] = ["op", "p", "weight", "one_of", "sequence"]

  /// What is wrong with a table that is large enough; nil when all is well.
  static func problem(in facts: clip_augmentation, _ kind: clip_plugin_kind) -> String? {
    guard facts.id != nil, facts.description != nil else {
      return "expected an id and a description, found a null pointer"
    }
    let isImage = kind == CLIP_KIND_IMAGE_AUGMENTATION
    guard (facts.apply_image != nil) == isImage, (facts.apply_text != nil) != isImage else {
      return
        "expected apply_\(isImage ? "image" : "text") alone, found \(facts.apply_image != nil && facts.apply_text != nil ? "both" : "another")"
    }
    guard let op = facts.op.map({ Name(cString: $0) }), isWord(op) else {
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
    guard facts.parameter_count <= 64, facts.parameters != nil || facts.parameter_count == 0 else {
      return
        "\(op.string): expected at most 64 parameters, found \(facts.parameters == nil ? "a null pointer" : "\(facts.parameter_count)")"
    }
    let parameters = UnsafeBufferPointer(start: facts.parameters, count: facts.parameter_count)
    for (index, parameter) in parameters.enumerated() {
      guard let name = parameter.name.map({ Name(cString: $0) }), isWord(name), !reserved.contains(name) else {
        return "\(op.string): parameter \(index): expected a name of a-z, 0-9 and '_' that the pipeline does not use"
      }
      for earlier in parameters.prefix(index) {
        if let other = earlier.name, Name(cString: other) == name {
          return "\(op.string): two parameters are named \(name.string)"
        }
      }
      if let problem = AugmentationTable.problem(in: parameter) { return "\(op.string): \(name.string): \(problem)" }
    }
    return nil
  }

  /// Its op, where an augmentation among `others` has it already.
  static func clash(_ item: PluginRegistry.Item, _ others: [PluginRegistry.Item]) -> String? {
    guard isAugmentation(item), let known = find(name(of: item), others) else { return nil }
    return "the op \(name(of: item).string) was already loaded from " + (known.plugin?.place ?? "the library")
  }

  /// The augmentation of this op or id.
  static func find(_ name: Name, _ items: [PluginRegistry.Item]) -> PluginRegistry.Item? {
    for item in items where isAugmentation(item) {
      if self.name(of: item) == name || Name(cString: item.id) == name { return item }
    }
    return nil
  }

  /// All ops of one kind, for messages: "a, b"; "none".
  static func ops(_ registry: PluginRegistry, _ kind: clip_plugin_kind) -> String {
    var text = ""
    for item in registry.items where item.kind == kind { text += (text.isEmpty ? "" : ", ") + name(of: item).string }
    return text.isEmpty ? "none" : text
  }

  static func table(of item: PluginRegistry.Item) -> UnsafePointer<clip_augmentation> {
    item.table.assumingMemoryBound(to: clip_augmentation.self)
  }

  private static func name(of item: PluginRegistry.Item) -> Name {
    table(of: item).pointee.op.map { Name(cString: $0) } ?? ""
  }

  private static func isAugmentation(_ item: PluginRegistry.Item) -> Bool {
    item.kind == CLIP_KIND_IMAGE_AUGMENTATION || item.kind == CLIP_KIND_TEXT_AUGMENTATION
  }

  static func isWord(_ name: Name) -> Bool {
    !name.isEmpty && name.utf8.count <= 100
      && name.utf8.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
          || byte == UInt8(ascii: "_")
      }
  }

  /// That a declaration holds together: a known type, a range, a default inside it.
  private static func problem(in parameter: clip_parameter) -> String? {
    guard parameter.description != nil else { return "expected a description, found a null pointer" }
    switch clip_parameter_type(parameter.type) {
    case CLIP_PARAMETER_NUMBER, CLIP_PARAMETER_INTEGER:
      guard parameter.low <= parameter.number, parameter.number <= parameter.high else {
        return
          "expected a default from \(plain(parameter.low)) to \(plain(parameter.high)), found \(plain(parameter.number))"
      }
      guard
        clip_parameter_type(parameter.type) == CLIP_PARAMETER_NUMBER || parameter.number.rounded() == parameter.number
      else {
        return "expected an integer for its default, found \(plain(parameter.number))"
      }
    case CLIP_PARAMETER_BOOLEAN:
      guard parameter.number == 0 || parameter.number == 1 else {
        return "expected a default of 0 or 1, found \(plain(parameter.number))"
      }
    case CLIP_PARAMETER_CHOICE:
      guard let choices = parameter.choices, (1...1000).contains(parameter.choice_count) else {
        return "expected 1 to 1000 choices"
      }
      for index in 0..<parameter.choice_count where choices[index] == nil { return "choice \(index) is a null pointer" }
      guard let chosen = Int(exactly: parameter.number), (0..<parameter.choice_count).contains(chosen) else {
        return "expected a default below \(parameter.choice_count), found \(plain(parameter.number))"
      }
    case CLIP_PARAMETER_NUMBERS:
      guard parameter.low <= parameter.high, parameter.count_low <= parameter.count_high, parameter.count_high <= 65536
      else {
        return "expected a range and at most 65536 numbers"
      }
      guard parameter.number_count >= parameter.count_low, parameter.number_count <= parameter.count_high,
        parameter.numbers != nil || parameter.number_count == 0
      else {
        return
          "expected a default of \(parameter.count_low) to \(parameter.count_high) numbers, found \(parameter.number_count)"
      }
      for number in UnsafeBufferPointer(start: parameter.numbers, count: parameter.number_count)
      where !(parameter.low <= number && number <= parameter.high) {
        return "expected defaults from \(plain(parameter.low)) to \(plain(parameter.high)), found \(plain(number))"
      }
    case CLIP_PARAMETER_TEXT:
      guard parameter.text != nil else { return "expected a default text, found a null pointer" }
    default: return "a parameter's type \(parameter.type) is not known to this version"
    }
    return nil
  }
}

/// A number for messages: without ".0" where it is whole.
func plain(_ number: Double) -> String {
  if let whole = Int(exactly: number) { return "\(whole)" }
  return "\(number)"
}
