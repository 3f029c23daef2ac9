import CSystem

/// What attention adds to its scores: a given value for each head, query and key; or one that depends on the key's
/// distance alone, from a table of buckets (Raffel et al., 2020, https://arxiv.org/abs/1910.10683); and minus infinity
/// outside of a window.
struct ScoreBias {
  /// The largest distance that is seen; 0: all are.
  let window: Int
  /// Distances from here on share a bucket; 0: the table has a value for each query and key.
  let distance: Int
  let isCausal: Bool
  let heads: Int
  let table: Shape?

  /// Buckets, of which the second half is for keys after the query, unless these are not seen.
  private var buckets: Int {
    guard case .fixed(let rows)? = table?.rows else { return 0 }
    return isCausal ? rows : rows / 2
  }
  /// Distances with a bucket of their own.
  var exact: Int { buckets / 2 }
  private var dependsOnDistance: Bool { distance > 0 && table != nil }

  /// Floats that `make` wants.
  func floats(keys: Int) -> Int {
    dependsOnDistance || table == nil && window > 0 ? (2 * keys + 15) & ~15 : window > 0 ? (keys * keys + 15) & ~15 : 0
  }

  /// The row of the table for a key `offset` rows after the query. Rounded as T5's float32.
  func bucket(_ offset: Int) -> Int {
    let start = offset > 0 && !isCausal ? buckets : 0
    let far = isCausal ? max(0, -offset) : abs(offset)
    guard far >= exact else { return start + far }
    let ratio = logf(Float(far) / Float(exact)) / Float(log(Double(distance) / Double(exact)))
    return start + min(buckets - 1, exact + Int(ratio * Float(buckets - exact)))
  }

  /// The bias of the first query's row, and floats from a query's row to the next one's; nil for none. `place` holds
  /// what is not in the table as it is.
  func make(
    table values: UnsafePointer<Float>?, item: Int, head: Int, keys: Int, firstQuery: Int,
    _ place: UnsafeMutablePointer<Float>
  ) -> (start: UnsafePointer<Float>, stride: Int)? {
    let hasWindow = window > 0 && keys > window + 1
    if let table, !dependsOnDistance, let values {
      let stride = table.width
      let start = values + item * keys * stride + head * keys
      guard hasWindow else { return (start + firstQuery * stride, stride) }
      for query in 0..<keys {
        for key in 0..<keys {
          place[query * keys + key] = abs(key - query) > window ? -.infinity : start[query * stride + key]
        }
      }
      return (UnsafePointer(place + firstQuery * keys), keys)
    }
    guard hasWindow || dependsOnDistance else { return nil }
    // One element for each offset: a row begins one element before that of the query before it.
    for offset in (1 - keys)..<keys {
      var value: Float = 0
      if let values { value = values[item * tableFloats + bucket(offset) * heads + head] }
      place[keys - 1 + offset] = hasWindow && abs(offset) > window ? -.infinity : value
    }
    return (UnsafePointer(place + keys - 1 - firstQuery), -1)
  }

  private var tableFloats: Int { (isCausal ? buckets : 2 * buckets) * heads }

  /// Adds the gradient by the table; `slopes` [queries, keys] times `factor` is that by the scores with bias.
  func addGradient(
    _ slopes: UnsafePointer<Float>, times factor: Float, item: Int, head: Int, queries: Int, keys: Int,
    firstQuery: Int, to gradient: UnsafeMutablePointer<Float>
  ) {
    for query in 0..<queries {
      let line = slopes + query * keys
      guard dependsOnDistance else {
        let row = item * keys + firstQuery + query
        addFloats(line, keys, times: factor, to: gradient + (row * heads + head) * keys)
        continue
      }
      let target = gradient + item * tableFloats + head
      for key in 0..<keys { target[bucket(key - query - firstQuery) * heads] += line[key] * factor }
    }
  }
}
