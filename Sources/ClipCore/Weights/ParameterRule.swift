import CSystem

/// One line of a layout's table: which tensor of the file holds a parameter, and how. In both names
/// "{}" stands for a part without dots, such as a layer's number or "weight".
struct ParameterRule {
  enum Recipe: Equatable {
    /// The tensor is the parameter.
    case whole
    /// Rows [i n, (i + 1) n) of a tensor of 3 n rows.
    case third(Int)
    /// A matrix [in, out] in the file, [out, in] as parameter.
    case transposed

    /// Copies a parameter's numbers to their places in the file's tensor.
    func place(_ numbers: UnsafePointer<Float>, shape: [Int], in tensor: UnsafeMutablePointer<Float>) {
      let count = shape.reduce(1) { $0 &* $1 }
      switch self {
      case .whole: memcpy(tensor, numbers, count * 4)
      case .third(let third): memcpy(tensor + third * count, numbers, count * 4)
      case .transposed:
        for row in 0..<shape[0] {
          for column in 0..<shape[1] { tensor[column * shape[0] + row] = numbers[row * shape[1] + column] }
        }
      }
    }

    /// Of the file's tensor that a parameter of this shape is in.
    func tensorShape(_ shape: [Int]) -> [Int] {
      switch self {
      case .whole: shape
      case .third: [3 * shape[0]] + shape[1...]
      case .transposed: [shape[1], shape[0]]
      }
    }
  }

  let parameter: Name
  let tensor: Name
  let recipe: Recipe
  /// The names may follow the same scopes, any number of them.
  let isUnderAny: Bool

  init(_ parameter: Name, _ tensor: Name, _ recipe: Recipe = .whole) {
    self.parameter = parameter
    self.tensor = tensor
    self.recipe = recipe
    isUnderAny = false
  }

  /// A rule for the ends of names: what comes before, up to a dot, stays.
  init(under parameter: Name, _ tensor: Name, _ recipe: Recipe = .whole) {
    self.parameter = parameter
    self.tensor = tensor
    self.recipe = recipe
    isUnderAny = true
  }

  /// The tensor's name in the file for the parameter `name`; nil when the rule is not about it.
  func tensorName(for name: Name) -> Name? {
    var start = 0
    while true {
      let end = Array(name.utf8[start...])
      if let parts = ParameterRule.match(parameter.utf8, end) {
        return Name(utf8: name.utf8[..<start] + ParameterRule.fill(tensor.utf8, parts, from: end))
      }
      guard isUnderAny, let dot = end.firstIndex(of: UInt8(ascii: ".")) else { return nil }
      start += dot + 1
    }
  }

  /// What each "{}" of `pattern` stands for in `name`.
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
