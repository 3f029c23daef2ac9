import CClip
import ClipBase

/// Compiles a pattern to instructions.
struct RegularExpressionParser {
  private typealias Instruction = RegularExpression.Instruction

  private(set) var program: [RegularExpression.Instruction] = []
  private(set) var sets: [CharacterSet] = []
  private let pattern: Scalars
  private let text: Name
  private let place: String
  private var at = 0
  private var ignoresCase = false
  private var depth = 0

  private static var mostInstructions: Int { 4096 }
  private static var mostRepetitions: Int { 1000 }

  init(_ pattern: Name, _ place: String) {
    text = pattern
    self.place = place
    var scalars = Scalars()
    pattern.utf8.withUnsafeBufferPointer { scalars = UTF8Text.scalars($0) }
    self.pattern = scalars
  }

  mutating func parse() throws(ClipError) {
    let canBeEmpty = try alternatives()
    guard at == pattern.count else { throw unsupported("a closing parenthesis") }
    guard !canBeEmpty else { throw unsupported("a pattern that matches the empty text") }
    program.append(.accept)
  }

  private func unsupported(_ what: StaticString) -> ClipError {
    ClipError(
      CLIP_UNSUPPORTED,
      "\(place): \(what) at character \(at) of the regular expression \"\(Name(utf8: Array(text.utf8.prefix(200))).string)\""
        + " is not supported")
  }

  private func isNext(_ character: Unicode.Scalar, _ offset: Int = 0) -> Bool {
    at + offset < pattern.count && pattern[at + offset] == character.value
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard isNext(character) else { return false }
    at += 1
    return true
  }

  private mutating func takeText(_ text: StaticString) -> Bool {
    let scalars = UTF8Text.scalars(text)
    guard pattern[at...].starts(with: scalars) else { return false }
    at += scalars.count
    return true
  }

  private mutating func add(_ instruction: Instruction) throws(ClipError) {
    guard program.count < RegularExpressionParser.mostInstructions else { throw unsupported("more than 4096 steps") }
    program.append(instruction)
  }

  /// `a|b|c`, each part compiled at the end of the program. Returns whether it matches the empty text.
  private mutating func alternatives() throws(ClipError) -> Bool {
    depth += 1
    guard depth <= 32 else { throw unsupported("deep nesting") }
    defer { depth -= 1 }
    let caseOutside = ignoresCase
    defer { ignoresCase = caseOutside }
    var canBeEmpty = false
    var jumps: [Int] = []
    while true {
      let split = program.count
      try add(.jump(split + 1))
      if try sequence() { canBeEmpty = true }
      guard take("|") else { break }
      jumps.append(program.count)
      try add(.jump(0))
      program[split] = .split(first: split + 1, second: program.count)
    }
    for jump in jumps { program[jump] = .jump(program.count) }
    return canBeEmpty
  }

  private mutating func sequence() throws(ClipError) -> Bool {
    var canBeEmpty = true
    while at < pattern.count, !isNext("|"), !isNext(")") {
      if try !repeated() { canBeEmpty = false }
    }
    return canBeEmpty
  }

  /// One element and how often it is repeated.
  private mutating func repeated() throws(ClipError) -> Bool {
    let code = program.count
    var canBeEmpty = try element()
    guard let (least, most) = try count() else { return canBeEmpty }
    // In Oniguruma's syntax, + after an interval is a repetition of it.
    let isInterval = pattern[at - 1] == 0x7D
    var (isLazy, isPossessive) = (false, false)
    if !isInterval || !isNext("+") {
      isLazy = take("?")
      if !isLazy, !isInterval { isPossessive = take("+") }
    }
    let afterCount = at
    if try count() != nil {
      throw unsupported("a repetition of a repetition")
    }
    at = afterCount
    guard !canBeEmpty || most == 1 else { throw unsupported("a repetition of what may be empty") }
    if program.count == code + 1, case .set(let set) = program[code], !isLazy {
      program[code] = .run(set: set, least: least, most: most, isPossessive: isPossessive)
      return least == 0
    }
    let body = Array(program[code...])
    program.removeLast(body.count)
    if isPossessive { try add(.atomic(end: 0)) }
    for _ in 0..<least { try append(body, from: code) }
    var splits: [Int] = []
    if most == Int.max {
      let loop = program.count
      splits.append(loop)
      try add(.jump(0))
      try append(body, from: code)
      try add(.jump(loop))
    } else {
      for _ in least..<most {
        splits.append(program.count)
        try add(.jump(0))
        try append(body, from: code)
      }
    }
    for split in splits {
      program[split] =
        isLazy
        ? .split(first: program.count, second: split + 1) : .split(first: split + 1, second: program.count)
    }
    if isPossessive {
      try add(.accept)
      program[code] = .atomic(end: program.count)
    }
    at = afterCount
    if least == 0 { canBeEmpty = true }
    return canBeEmpty
  }

  /// Appends instructions that were compiled at `start`.
  private mutating func append(_ body: [Instruction], from start: Int) throws(ClipError) {
    let shift = program.count - start
    for instruction in body {
      switch instruction {
      case .split(let first, let second): try add(.split(first: first + shift, second: second + shift))
      case .jump(let target): try add(.jump(target + shift))
      case .look(let end, let isNegative): try add(.look(end: end + shift, isNegative: isNegative))
      case .atomic(let end): try add(.atomic(end: end + shift))
      case .set, .run, .accept: try add(instruction)
      }
    }
  }

  /// `*`, `+`, `?`, `{2}`, `{2,}`, `{,3}` or `{2,3}`; nil if there is none, and a brace stands for itself.
  private mutating func count() throws(ClipError) -> (Int, Int)? {
    if take("*") { return (0, Int.max) }
    if take("+") { return (1, Int.max) }
    if take("?") { return (0, 1) }
    guard isNext("{") else { return nil }
    let start = at
    at += 1
    let least = try number()
    let hasComma = take(",")
    let most = hasComma ? try number() : least
    guard take("}"), least != nil || most != nil else {
      at = start
      return nil
    }
    let range = (least ?? 0, most ?? Int.max)
    guard range.0 <= range.1, range.1 > 0 else { throw unsupported("a repetition") }
    return range
  }

  private mutating func number() throws(ClipError) -> Int? {
    var value: Int?
    while at < pattern.count, pattern[at] >= 0x30, pattern[at] <= 0x39 {
      value = (value ?? 0) * 10 + Int(pattern[at] - 0x30)
      guard value ?? 0 <= RegularExpressionParser.mostRepetitions else { throw unsupported("a repetition") }
      at += 1
    }
    return value
  }

  /// A group, a class or a character. Returns whether it matches the empty text.
  private mutating func element() throws(ClipError) -> Bool {
    if take("(") { return try group() }
    var items: [CharacterSet.Item] = []
    if take("[") {
      items = [.set(try characterClass())]
    } else if take(".") {
      items = [.not(.range(0x0A, 0x0A))]
    } else if isNext("^") || isNext("$") || isNext("*") || isNext("+") || isNext("?") {
      throw unsupported("an anchor or a repetition of nothing")
    } else {
      let item = try escapeOrCharacter()
      switch item {
      case .word: items = latinWord
      case .not(.word): items = [.not(.set(CharacterSet(latinWord)))]
      default: items = [item]
      }
    }
    let set = CharacterSet(items, ignoresCase: ignoresCase)
    try add(.set(sets.count))
    sets.append(set)
    return false
  }

  /// Outside of classes, Oniguruma counts the superscript digits and the fractions of Latin-1 to \w.
  private var latinWord: [CharacterSet.Item] {
    [.word, .range(0xB2, 0xB3), .range(0xB9, 0xB9), .range(0xBC, 0xBE)]
  }

  /// Parses the rest of a group after "(", and ")".
  private mutating func group() throws(ClipError) -> Bool {
    let code = program.count
    let caseOutside = ignoresCase
    defer { ignoresCase = caseOutside }
    var canBeEmpty: Bool
    if takeText("?=") || takeText("?!") {
      let isNegative = pattern[at - 1] == 0x21
      try add(.look(end: 0, isNegative: isNegative))
      _ = try alternatives()
      try add(.accept)
      program[code] = .look(end: program.count, isNegative: isNegative)
      canBeEmpty = true
    } else if takeText("?>") {
      try add(.atomic(end: 0))
      canBeEmpty = try alternatives()
      try add(.accept)
      program[code] = .atomic(end: program.count)
    } else {
      if takeText("?i:") {
        ignoresCase = true
      } else if takeText("?-i:") {
        ignoresCase = false
      } else if takeText("?i)") {
        // Up to the end of the enclosing group.
        ignoresCase = true
        canBeEmpty = try alternatives()
        return canBeEmpty
      } else if !takeText("?:"), isNext("?") {
        throw unsupported("a group of this kind")
      }
      canBeEmpty = try alternatives()
    }
    guard take(")") else { throw unsupported("a group without an end") }
    return canBeEmpty
  }

  /// Parses the rest of a class after "[", and "]".
  private mutating func characterClass() throws(ClipError) -> CharacterSet {
    depth += 1
    guard depth <= 32 else { throw unsupported("deep nesting") }
    defer { depth -= 1 }
    let isNegated = take("^")
    var items: [CharacterSet.Item] = []
    while !isNext("]") || items.isEmpty {
      guard at < pattern.count else { throw unsupported("a class without an end") }
      if isNext("[") {
        guard !isNext(":", 1) else { throw unsupported("a POSIX class") }
        at += 1
        items.append(.set(try characterClass()))
        continue
      }
      guard !(isNext("&") && isNext("&", 1)) else { throw unsupported("an intersection of classes") }
      let item = try escapeOrCharacter()
      if case .range(let first, _) = item, isNext("-"), !isNext("]", 1) {
        at += 1
        guard at < pattern.count, case .range(let last, _) = try escapeOrCharacter(), first <= last else {
          throw unsupported("a range of characters")
        }
        items.append(.range(first, last))
      } else {
        items.append(item)
      }
      guard items.count <= 1024 else { throw unsupported("a class of more than 1024 parts") }
    }
    at += 1
    return CharacterSet(items, isNegated: isNegated, ignoresCase: ignoresCase)
  }

  private mutating func escapeOrCharacter() throws(ClipError) -> CharacterSet.Item {
    let scalar = pattern[at]
    at += 1
    guard scalar == 0x5C else { return .range(scalar, scalar) }
    guard at < pattern.count, let escape = Unicode.Scalar(pattern[at]) else { throw unsupported("a backslash") }
    at += 1
    let digits = CharacterSet.Item.categories(CharacterSet.categories("Nd") ?? 0)
    switch escape {
    case "s": return .space
    case "S": return .not(.space)
    case "w": return .word
    case "W": return .not(.word)
    case "d": return digits
    case "D": return .not(digits)
    case "p", "P": return try property(isNegated: escape == "P")
    case "n": return .range(0x0A, 0x0A)
    case "r": return .range(0x0D, 0x0D)
    case "t": return .range(0x09, 0x09)
    case "f": return .range(0x0C, 0x0C)
    case "v": return .range(0x0B, 0x0B)
    case "x", "u":
      let value = try hexadecimal(escape == "u" ? 4 : 2)
      return .range(value, value)
    default:
      guard CharacterKind(escape.value) == .other || escape == " " else { throw unsupported("an escape") }
      return .range(escape.value, escape.value)
    }
  }

  /// `{L}` or `{^L}`, after `\p`.
  private mutating func property(isNegated: Bool) throws(ClipError) -> CharacterSet.Item {
    guard take("{") else { throw unsupported("a property") }
    let isNegated = take("^") != isNegated
    var name: [UInt8] = []
    while at < pattern.count, !isNext("}"), name.count < 32 {
      name.append(UInt8(truncatingIfNeeded: min(pattern[at], 0xFF)))
      at += 1
    }
    guard take("}"), let mask = CharacterSet.categories(Name(utf8: name)) else { throw unsupported("a property") }
    return isNegated ? .not(.categories(mask)) : .categories(mask)
  }

  /// `digits` of them, or as many as there are in braces.
  private mutating func hexadecimal(_ digits: Int) throws(ClipError) -> UInt32 {
    let isBraced = take("{")
    var value: UInt32 = 0
    var count = 0
    while at < pattern.count, count < (isBraced ? 6 : digits), let digit = Unicode.Scalar(pattern[at]),
      let nibble = nibble(digit.value)
    {
      value = value << 4 | nibble
      at += 1
      count += 1
    }
    guard count == digits || (isBraced && count > 0 && take("}")) else { throw unsupported("an escape") }
    return value
  }
}

/// The value of a hexadecimal digit; nil of another character.
private func nibble(_ digit: UInt32) -> UInt32? {
  switch digit {
  case 0x30...0x39: digit - 0x30
  case 0x41...0x46: digit - 0x37
  case 0x61...0x66: digit - 0x57
  default: nil
  }
}
