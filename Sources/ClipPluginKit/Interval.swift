import CClip

/// A closed interval; `low` is at most `high`.
public struct Interval {
  public let low: Double
  public let high: Double

  /// `name` is the setting's name, for the message of an error.
  public init(_ low: Double, _ high: Double, _ name: StaticString) throws(PluginFailure) {
    guard low <= high else {
      throw PluginFailure(
        CLIP_INVALID_ARGUMENT, "\(name): expected a range from low to high, found one from \(low) to \(high)")
    }
    self.low = low
    self.high = high
  }

  /// A uniform random number from the interval.
  public func draw(_ random: Random) -> Double { random.uniform(low, high) }
}

extension Settings {
  /// The interval of a setting of one or two numbers: two are its ends, one number x is the interval `one(x)`.
  public func interval(
    _ name: StaticString, one: (Double) -> (low: Double, high: Double) = { ($0, $0) }
  ) throws(PluginFailure) -> Interval {
    let values = numbers(name)
    guard values.count != 2 else { return try Interval(values[0], values[1], name) }
    guard let number = values.first else {
      throw PluginFailure(CLIP_INVALID_ARGUMENT, "\(name): expected 1 or 2 numbers, found none")
    }
    let ends = one(number)
    guard ends.low <= ends.high else {
      throw PluginFailure(CLIP_INVALID_ARGUMENT, "\(name): expected at least 0 where it is one number, found \(number)")
    }
    return try Interval(ends.low, ends.high, name)
  }

  /// The values of a setting of numbers that must be integers.
  public func integers(_ name: StaticString) throws(PluginFailure) -> [Int] {
    var integers: [Int] = []
    for number in numbers(name) {
      guard let integer = Int(exactly: number) else {
        throw PluginFailure(CLIP_INVALID_ARGUMENT, "\(name): expected integers, found \(number)")
      }
      integers.append(integer)
    }
    return integers
  }

  /// The range of a setting of one or two integers.
  public func integerRange(_ name: StaticString) throws(PluginFailure) -> ClosedRange<Int> {
    let ends = try integers(name)
    guard let low = ends.first, let high = ends.last else {
      throw PluginFailure(CLIP_INVALID_ARGUMENT, "\(name): expected 1 or 2 integers, found none")
    }
    guard low <= high else {
      throw PluginFailure(
        CLIP_INVALID_ARGUMENT, "\(name): expected a range from low to high, found one from \(low) to \(high)")
    }
    return low...high
  }
}
