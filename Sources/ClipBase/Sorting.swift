/// The indexes of [0, count) in the order that `precedes` gives, equal ones in their own order. One sort serves every
/// type: not optimised, since the compiler would make a copy of 4 KB for each caller.
@_optimize(none)
package func order(_ count: Int, by precedes: (Int, Int) -> Bool) -> [Int] {
  (0..<count).sorted(by: precedes)
}

extension Array {
  /// The elements in the order that `precedes` gives, equal ones in their own order.
  package func ordered(by precedes: (Element, Element) -> Bool) -> [Element] {
    order(count) { precedes(self[$0], self[$1]) }.map { self[$0] }
  }
}
