import CSystem

/// Which tensor of the file holds a parameter, and how. In both names "{}" matches one or more
/// characters other than a dot, such as a layer's number or "weight".
struct ParameterRule {
  enum Arrangement: Equatable {
    /// The parameter is the tensor.
    case whole
    /// The parameter is rows [i n, (i + 1) n) of a tensor of `of` n rows.
    case part(Int, of: Int)
    /// The parameter [out, in] is a matrix [in, out] in the file.
    case transposed

    /// Copies a parameter's elements to their places in the file's tensor.
    func place(_ elements: UnsafePointer<Float>, shape: [Int], in tensor: UnsafeMutablePointer<Float>) {
      let count = shape.reduce(1) { $0 &* $1 }
      switch self {
      case .whole: memcpy(tensor, elements, count * 4)
      case .part(let part, _): memcpy(tensor + part * count, elements, count * 4)
      case .transposed:
        for row in 0..<shape[0] {
          for column in 0..<shape[1] { tensor[column * shape[0] + row] = elements[row * shape[1] + column] }
        }
      }
    }

    /// The shape of the tensor that holds a parameter of shape `shape`.
    func tensorShape(_ shape: [Int]) -> [Int] {
      switch self {
      case .whole: shape
      case .part(_, let parts): [parts * shape[0]] + shape[1...]
      case .transposed: [shape[1], shape[0]]
      }
    }
  }

  let parameter: Name
  let tensor: Name
  let arrangement: Arrangement
  /// Whether the rule applies to the ends of names: any prefix that ends in a dot stays as it is.
  let matchesSuffix: Bool

  init(_ parameter: Name, _ tensor: Name, _ arrangement: Arrangement = .whole) {
    self.parameter = parameter
    self.tensor = tensor
    self.arrangement = arrangement
    matchesSuffix = false
  }

  /// A rule for the ends of names; see `matchesSuffix`.
  init(suffix parameter: Name, _ tensor: Name, _ arrangement: Arrangement = .whole) {
    self.parameter = parameter
    self.tensor = tensor
    self.arrangement = arrangement
    matchesSuffix = true
  }

  /// The same rule for a file whose tensors do not have the prefix.
  func withoutPrefix(_ prefix: Name) -> ParameterRule {
    guard tensor.hasPrefix(prefix) else { return self }
    return ParameterRule(parameter, Name(utf8: Array(tensor.utf8[prefix.utf8.count...])), arrangement)
  }

  /// The same rule for a model that has parameters and tensors under `prefix`.
  func under(_ prefix: Name) -> ParameterRule {
    matchesSuffix ? self : ParameterRule(prefix + parameter, prefix + tensor, arrangement)
  }

  /// The name of the tensor that holds the parameter `name`; nil if the rule does not match.
  func tensorName(for name: Name) -> Name? {
    var start = 0
    while true {
      let end = Array(name.utf8[start...])
      if let parts = ParameterRule.match(parameter.utf8, end) {
        return Name(utf8: name.utf8[..<start] + ParameterRule.fill(tensor.utf8, parts, from: end))
      }
      guard matchesSuffix, let dot = end.firstIndex(of: UInt8(ascii: ".")) else { return nil }
      start += dot + 1
    }
  }

  /// The part of `name` that each "{}" of `pattern` matches; nil if the name does not match.
  private static func match(_ pattern: [UInt8], _ name: [UInt8]) -> [Range<Int>]? {
    var parts: [Range<Int>] = []
    var at = 0
    var index = 0
    while index < pattern.count {
      if isWildcard(pattern, index) {
        let start = at
        while at < name.count, name[at] != UInt8(ascii: ".") { at += 1 }
        guard at > start else { return nil }
        parts.append(start..<at)
        index += 2
      } else {
        guard at < name.count, name[at] == pattern[index] else { return nil }
        at += 1
        index += 1
      }
    }
    return at == name.count ? parts : nil
  }

  /// `pattern` with each "{}" replaced by the part of `name` that it matched.
  private static func fill(_ pattern: [UInt8], _ parts: [Range<Int>], from name: [UInt8]) -> [UInt8] {
    var filled: [UInt8] = []
    var next = 0
    var index = 0
    while index < pattern.count {
      if isWildcard(pattern, index), next < parts.count {
        filled += name[parts[next]]
        next += 1
        index += 2
      } else {
        filled.append(pattern[index])
        index += 1
      }
    }
    return filled
  }

  private static func isWildcard(_ pattern: [UInt8], _ index: Int) -> Bool {
    pattern[index] == UInt8(ascii: "{") && index + 1 < pattern.count && pattern[index + 1] == UInt8(ascii: "}")
  }
}
