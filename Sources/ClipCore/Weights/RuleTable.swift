/// Rules as text, a line for each: a parameter, its tensor and, unless that is the parameter, how it holds it: "0/3" is
/// the first third of its rows, "transposed" its transpose. A table is data: in code each name costs 40 bytes.
extension ParameterRule {
  /// The rules of `table`, with parameters under the prefix `parameters` and tensors under `tensors`.
  static func rules(
    _ table: StaticString, under parameters: Name = "", _ tensors: Name = "", isSuffix: Bool = false
  ) -> [ParameterRule] {
    var rules: [ParameterRule] = []
    for line in Array(table.bytes).split(separator: UInt8(ascii: "\n")) {
      let words = line.split(separator: UInt8(ascii: " "))
      guard words.count >= 2 else { continue }
      let (parameter, tensor) = (parameters.utf8 + words[0], tensors.utf8 + words[1])
      let arrangement = words.count > 2 ? Arrangement(word: words[2]) : .whole
      rules.append(
        isSuffix
          ? ParameterRule(suffix: Name(utf8: parameter), Name(utf8: tensor), arrangement)
          : ParameterRule(Name(utf8: parameter), Name(utf8: tensor), arrangement))
    }
    return rules
  }
}

extension ParameterRule.Arrangement {
  fileprivate init(word: ArraySlice<UInt8>) {
    guard let part = word.first, let parts = word.last, word.count == 3 else {
      self = .transposed
      return
    }
    self = .part(Int(part) - 48, of: Int(parts) - 48)
  }
}
