import CSystem

/// Gradients of a backward pass that several ops may write, one after another: the first sets a gradient or finds zeros,
/// the others add. Whether an op sets or adds is decided here alone.
final class GradientSink {
  private var hasBegun: [Bool]

  init(count: Int) { hasBegun = [Bool](repeating: false, count: count) }

  /// Begins a pass: of the gradients, none has begun.
  func reset() { for index in hasBegun.indices { hasBegun[index] = false } }

  /// The gradient's memory holds a value to add to.
  func markBegun(_ index: Int) { hasBegun[index] = true }

  /// Lets the next op write gradient `index`, `count` elements at `gradient`. Returns whether it adds: to what others
  /// wrote or, where it cannot set all elements, to zeros.
  func begin(_ index: Int, _ gradient: UnsafeMutablePointer<Float>, _ count: Int, canSet: Bool) -> Bool {
    if hasBegun[index] { return true }
    hasBegun[index] = true
    if canSet { return false }
    memset(gradient, 0, count * 4)
    return true
  }
}
