import CSystem

/// Decides whether an op sets or adds to a gradient. Several ops may write one gradient in a backward run: the first
/// sets it or finds zeros, the others add.
final class GradientSink {
  private var hasBegun: [Bool]

  init(count: Int) { hasBegun = [Bool](repeating: false, count: count) }

  /// Begins a backward run: no gradient is set.
  func reset() { for index in hasBegun.indices { hasBegun[index] = false } }

  /// Notes that the gradient's memory holds a value to add to.
  func markBegun(_ index: Int) { hasBegun[index] = true }

  /// Prepares gradient `index`, `count` elements at `gradient`, for the next op. Returns whether the op adds: to what
  /// others wrote or, if it does not set all elements itself, to zeros.
  func begin(_ index: Int, _ gradient: UnsafeMutablePointer<Float>, _ count: Int, canSet: Bool) -> Bool {
    if hasBegun[index] { return true }
    hasBegun[index] = true
    if canSet { return false }
    memset(gradient, 0, count * 4)
    return true
  }
}
