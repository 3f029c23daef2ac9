import CClip

/// Several paths in one string: `{000..127}` is a range of integers with as many digits as its ends, and `{a,b}` a
/// list. A path may have several patterns, and a list may contain patterns.
struct BracePattern {
  private let pattern: [UInt8]

  private static var mostPaths: Int { 1 << 20 }
  private static var mostBytes: Int { 64 << 20 }
  private static var deepest: Int { 8 }

  /// The paths in the order of the pattern.
  static func expand(_ pattern: [UInt8]) throws(ClipError) -> [[UInt8]] {
    guard pattern.count <= 4096 else {
      throw ClipError(CLIP_LIMIT, "a path of \(pattern.count) bytes, expected at most 4096")
    }
    return try BracePattern(pattern: pattern).expand(pattern[...], depth: 0)
  }

  private func expand(_ part: ArraySlice<UInt8>, depth: Int) throws(ClipError) -> [[UInt8]] {
    guard depth < BracePattern.deepest else {
      throw wrong("at most \(BracePattern.deepest) braces in each other", "more")
    }
    var results: [[UInt8]] = [[]]
    var at = part.startIndex
    while at < part.endIndex {
      switch part[at] {
      case UInt8(ascii: "{"):
        let end = try closing(part, at)
        results = try multiply(results, try choices(part[(at + 1)..<end], depth))
        at = end + 1
      case UInt8(ascii: "}"): throw wrong("a { for each }", "a } alone")
      default:
        let rest = part[at...]
        let end = rest.firstIndex { $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "}") } ?? part.endIndex
        results = try multiply(results, [Array(part[at..<end])])
        at = end
      }
    }
    return results
  }

  private func closing(_ part: ArraySlice<UInt8>, _ opening: Int) throws(ClipError) -> Int {
    var depth = 0
    for index in opening..<part.endIndex {
      if part[index] == UInt8(ascii: "{") { depth += 1 }
      if part[index] == UInt8(ascii: "}") { depth -= 1 }
      if depth == 0 { return index }
    }
    throw wrong("a } for each {", "a { that is not closed")
  }

  private func multiply(_ heads: [[UInt8]], _ tails: [[UInt8]]) throws(ClipError) -> [[UInt8]] {
    let (count, overflow) = heads.count.multipliedReportingOverflow(by: tails.count)
    guard !overflow, count <= BracePattern.mostPaths else { throw tooMany }
    var results: [[UInt8]] = []
    results.reserveCapacity(count)
    var bytes = 0
    for head in heads {
      for tail in tails {
        bytes += head.count + tail.count
        guard bytes <= BracePattern.mostBytes else { throw tooMany }
        results.append(head + tail)
      }
    }
    return results
  }

  /// The choices between one pair of braces.
  private func choices(_ inner: ArraySlice<UInt8>, _ depth: Int) throws(ClipError) -> [[UInt8]] {
    var parts: [ArraySlice<UInt8>] = []
    var from = inner.startIndex
    var braces = 0
    for index in inner.indices {
      if inner[index] == UInt8(ascii: "{") { braces += 1 }
      if inner[index] == UInt8(ascii: "}") { braces -= 1 }
      if braces == 0, inner[index] == UInt8(ascii: ",") {
        parts.append(inner[from..<index])
        from = index + 1
      }
    }
    parts.append(inner[from...])
    guard parts.count > 1 else { return try range(inner) }
    var results: [[UInt8]] = []
    for part in parts {
      results += try expand(part, depth: depth + 1)
      guard results.count <= BracePattern.mostPaths else { throw tooMany }
    }
    return results
  }

  /// "first..last", ascending or descending.
  private func range(_ inner: ArraySlice<UInt8>) throws(ClipError) -> [[UInt8]] {
    let dot = UInt8(ascii: ".")
    let dots = inner.indices.first { inner[$0] == dot && $0 + 1 < inner.endIndex && inner[$0 + 1] == dot }
    guard let dots, let first = number(inner[..<dots]), let last = number(inner[(dots + 2)...]) else {
      throw wrong("{first..last} with numbers, or {a,b}", "{\(Name(utf8: Array(inner.prefix(80))).string)}")
    }
    guard abs(last - first) < BracePattern.mostPaths else { throw tooMany }
    // As in a shell, an end that begins with 0 sets the number of digits.
    let ends = [inner[..<dots], inner[(dots + 2)...]]
    let isPadded = ends.contains { $0.count > 1 && $0.first == UInt8(ascii: "0") }
    let width = isPadded ? max(ends[0].count, ends[1].count) : 0
    return stride(from: first, through: last, by: first <= last ? 1 : -1).map { value in
      let digits = Array(String(value).utf8)
      return [UInt8](repeating: UInt8(ascii: "0"), count: max(0, width - digits.count)) + digits
    }
  }

  private func number(_ digits: ArraySlice<UInt8>) -> Int? {
    guard !digits.isEmpty, digits.count <= 15 else { return nil }
    var value = 0
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
      value = value * 10 + Int(digit - UInt8(ascii: "0"))
    }
    return value
  }

  private func wrong(_ expected: String, _ found: String) -> ClipError {
    ClipError(CLIP_INVALID_ARGUMENT, "\(Name(utf8: pattern).string): expected \(expected), found \(found)")
  }

  private var tooMany: ClipError {
    ClipError(CLIP_LIMIT, "\(Name(utf8: pattern).string): expected at most \(BracePattern.mostPaths) paths, found more")
  }
}
