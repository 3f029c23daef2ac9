import CClip

/// Settings of an augmentation to try: the defaults, each setting at the ends of its range, and random ones.
struct ParameterTrials {
  private let parameters: [clip_setting_info]

  init(_ parameters: [clip_setting_info]) { self.parameters = parameters }

  var defaults: [TrialSettings.Value] { parameters.map { ParameterTrials.usual($0) } }

  /// The first are the defaults.
  var all: [[TrialSettings.Value]] {
    var list = [defaults]
    let choices = parameters.map { ParameterTrials.values(of: $0) }
    for (index, values) in choices.enumerated() {
      for value in values {
        var set = defaults
        set[index] = value
        list.append(set)
      }
    }
    guard parameters.count > 1 else { return list }
    var random = RandomNumbers(seed: 6)
    for _ in 0..<24 { list.append(choices.map { $0[random.below($0.count)] }) }
    return list
  }

  /// Keys and values of a pipeline's JSON, and whether they must be refused.
  var json: [(key: String, value: String, isWrong: Bool)] {
    var list: [(key: String, value: String, isWrong: Bool)] = []
    for parameter in parameters {
      let type = parameter.type
      let isNumber = type == CLIP_SETTING_NUMBER || type == CLIP_SETTING_INTEGER
      func add(_ value: String, _ isWrong: Bool) { list.append((string(parameter.name), value, isWrong)) }
      add("null", true)
      add("{}", true)
      add("\"no such thing\"", type != CLIP_SETTING_TEXT)
      add("[]", type != CLIP_SETTING_NUMBERS || parameter.count_low > 0)
      add("[\"x\"]", true)
      add("true", type != CLIP_SETTING_BOOLEAN)
      add(
        "0.5",
        type != CLIP_SETTING_NUMBER && type != CLIP_SETTING_NUMBERS
          || !(parameter.low <= 0.5 && 0.5 <= parameter.high))
      if isNumber || type == CLIP_SETTING_NUMBERS {
        for end in [parameter.low - 1, parameter.high + 1]
        where end.isFinite && (end < parameter.low || end > parameter.high) {
          add(isNumber ? "\(end)" : "[\(end)]", true)
        }
        add("1e400", true)
      }
      if type == CLIP_SETTING_NUMBERS {
        add(
          "[" + [String](repeating: "\(parameter.low)", count: parameter.count_high + 1).joined(separator: ",") + "]",
          true)
      }
    }
    list.append(("no_such_parameter", "1", true))
    return list
  }

  private static func usual(_ parameter: clip_setting_info) -> TrialSettings.Value {
    switch parameter.type {
    case CLIP_SETTING_NUMBERS:
      .numbers(Array(UnsafeBufferPointer(start: parameter.numbers, count: parameter.number_count)))
    case CLIP_SETTING_TEXT: .text(string(parameter.text))
    default: .number(parameter.number)
    }
  }

  private static func values(of parameter: clip_setting_info) -> [TrialSettings.Value] {
    let (low, high) = (parameter.low, parameter.high)
    switch parameter.type {
    case CLIP_SETTING_NUMBER:
      let middle = max(low, -1000) / 2 + min(high, 1000) / 2
      return [low, high, middle, 0, 1].filter { low <= $0 && $0 <= high }.map { .number($0) }
    case CLIP_SETTING_INTEGER:
      return [low, high, low + 1, 1, 7].filter { low <= $0 && $0 <= high && $0.rounded() == $0 }.map { .number($0) }
    case CLIP_SETTING_BOOLEAN: return [.number(0), .number(1)]
    case CLIP_SETTING_CHOICE: return (0..<min(parameter.choice_count, 16)).map { .number(Double($0)) }
    case CLIP_SETTING_NUMBERS:
      let fewest = [Double](repeating: low, count: parameter.count_low)
      let most = min(parameter.count_high, 64)
      let mixed = (0..<most).map { $0 % 2 == 0 ? low : high }
      return [fewest, [Double](repeating: high, count: most), mixed].map { .numbers($0) } + [usual(parameter)]
    default: return ["", "a", "naïve 猫", String(repeating: "long ", count: 200)].map { .text($0) } + [usual(parameter)]
    }
  }
}
