/// The indexes of [0, count), stably sorted by `precedes`. Not optimised, so that one copy serves all types: optimised,
/// each caller gets a copy of 4 KB.
@_optimize(none)
package func order(_ count: Int, by precedes: (Int, Int) -> Bool) -> [Int] {
  (0..<count).sorted(by: precedes)
}

extension Array {
  /// The elements, stably sorted by `precedes`.
  package func ordered(by precedes: (Element, Element) -> Bool) -> [Element] {
    order(count) { precedes(self[$0], self[$1]) }.map { self[$0] }
  }
}
