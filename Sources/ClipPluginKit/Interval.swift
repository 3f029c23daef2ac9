import CClip

/// Numbers from `low` to `high`, not the other way round.
public struct Interval {
  public let low: Double
  public let high: Double

  /// `name` is that of the parameter, for the error.
  public init(_ low: Double, _ high: Double, _ name: StaticString) throws(PluginFailure) {
    guard low <= high else {
      throw PluginFailure(
        CLIP_INVALID_ARGUMENT, "\(name): expected a range from low to high, found one from \(low) to \(high)")
    }
    self.low = low
    self.high = high
  }

  /// Each as likely; `low` where both are the same.
  public func draw(_ random: Random) -> Double { random.uniform(low, high) }
}

extension Settings {
  /// The interval that a parameter of one or two numbers says: two are its ends, one stands for `one` of it.
  public func interval(
    _ name: StaticString, one: (Double) -> (low: Double, high: Double) = { ($0, $0) }
  ) throws(PluginFailure) -> Interval {
    let given = numbers(name)
    guard given.count != 2 else { return try Interval(given[0], given[1], name) }
    guard let number = given.first else {
      throw PluginFailure(CLIP_INVALID_ARGUMENT, "\(name): expected 1 or 2 numbers, found none")
    }
    let ends = one(number)
    guard ends.low <= ends.high else {
      throw PluginFailure(CLIP_INVALID_ARGUMENT, "\(name): expected at least 0 where it is one number, found \(number)")
    }
    return try Interval(ends.low, ends.high, name)
  }

  /// The numbers of a parameter whose every number is whole.
  public func integers(_ name: StaticString) throws(PluginFailure) -> [Int] {
    var whole: [Int] = []
    for number in numbers(name) {
      guard let integer = Int(exactly: number) else {
        throw PluginFailure(CLIP_INVALID_ARGUMENT, "\(name): expected integers, found \(number)")
      }
      whole.append(integer)
    }
    return whole
  }
}
