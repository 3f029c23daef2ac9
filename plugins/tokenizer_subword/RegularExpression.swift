import CClip
import ClipBase

/// The regular expressions of tokenizer files, with Oniguruma's syntax and semantics: alternatives in order, greedy and
/// possessive repetition, groups, lookahead, classes with Unicode's general categories. Other features of Oniguruma are
/// refused. The steps of a search are limited in proportion to the text.
struct RegularExpression {
  enum Instruction {
    case set(Int)
    /// Repeats a set `least` to `most` times. Backtracks by one character at a time, unless `isPossessive`.
    case run(set: Int, least: Int, most: Int, isPossessive: Bool)
    /// Tries `first`, then `second`.
    case split(first: Int, second: Int)
    case jump(Int)
    /// Matches the instructions that follow, up to their `accept` before `end`, without consuming text.
    case look(end: Int, isNegative: Bool)
    /// Matches the instructions up to their `accept` and consumes the text, without backtracking into it.
    case atomic(end: Int)
    case accept
  }

  var program: [Instruction] = []
  var sets: [CharacterSet] = []

  /// `place` names the pattern in messages.
  init(_ pattern: Name, _ place: String) throws(ClipError) {
    var parser = RegularExpressionParser(pattern, place)
    try parser.parse()
    program = parser.program
    sets = parser.sets
  }

  /// Matches `text` itself.
  init(literal text: Scalars) {
    for scalar in text {
      program.append(.set(sets.count))
      sets.append(CharacterSet([.range(scalar, scalar)]))
    }
    program.append(.accept)
  }

  /// A position to return to: continue at `instruction` with `at`, then with each smaller one down to `least`.
  private struct Branch {
    let instruction: Int
    let at: Int
    let least: Int
  }

  private struct Search {
    var branches: [Branch] = []
    var steps: Int

    mutating func spend(_ count: Int) throws(ClipError) {
      steps -= count
      guard steps >= 0 else {
        throw ClipError(CLIP_LIMIT, "text: the tokenizer's regular expression takes too many steps to split it")
      }
    }
  }

  /// The ranges of all matches, from left to right. Empty matches do not count.
  func matches(in text: ArraySlice<UInt32>) throws(ClipError) -> [Range<Int>] {
    var search = Search(steps: 1 << 16 + 256 * text.count)
    var found: [Range<Int>] = []
    var at = text.startIndex
    while at < text.endIndex {
      if let end = try match(text, 0, at, &search), end > at {
        found.append(at..<end)
        at = end
      } else {
        at += 1
      }
    }
    return found
  }

  /// The end of the match at `start` of the instructions from `first` to their `accept`; nil if there is none.
  private func match(
    _ text: ArraySlice<UInt32>, _ first: Int, _ start: Int, _ search: inout Search
  ) throws(ClipError) -> Int? {
    let base = search.branches.count
    var (at, next) = (start, first)
    while true {
      try search.spend(1)
      var fails = false
      switch program[next] {
      case .set(let set):
        fails = at == text.endIndex || !sets[set].contains(text[at])
        at += 1
        next += 1
      case .run(let set, let least, let most, let isPossessive):
        let begin = at
        while at < text.endIndex, at - begin < most, sets[set].contains(text[at]) { at += 1 }
        try search.spend(at - begin)
        fails = at - begin < least
        next += 1
        if !fails, !isPossessive, at - begin > least {
          search.branches.append(Branch(instruction: next, at: at - 1, least: begin + least))
        }
      case .split(let preferred, let other):
        search.branches.append(Branch(instruction: other, at: at, least: at))
        next = preferred
      case .jump(let target): next = target
      case .look(let end, let isNegative):
        fails = try (match(text, next + 1, at, &search) == nil) != isNegative
        next = end
      case .atomic(let end):
        if let stop = try match(text, next + 1, at, &search) { at = stop } else { fails = true }
        next = end
      case .accept:
        search.branches.removeLast(search.branches.count - base)
        return at
      }
      if fails {
        guard search.branches.count > base, let branch = search.branches.popLast() else { return nil }
        if branch.at > branch.least {
          search.branches.append(Branch(instruction: branch.instruction, at: branch.at - 1, least: branch.least))
        }
        at = branch.at
        next = branch.instruction
      }
    }
  }
}
