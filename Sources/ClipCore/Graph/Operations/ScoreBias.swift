import CSystem

/// The bias of attention scores: a value for each head, query and key; or one for the key's distance, from a table of
/// buckets (Raffel et al., 2020, https://arxiv.org/abs/1910.10683); and minus infinity outside a window.
struct ScoreBias {
  /// The largest distance that a query sees; 0: no limit.
  let window: Int
  /// Distances from this one on share a bucket; 0: the bias has a value for each query and key.
  let distance: Int
  let isCausal: Bool
  let heads: Int
  let table: Shape?

  /// The number of buckets. The second half is for keys after the query, unless attention is causal.
  private var buckets: Int {
    guard case .fixed(let rows)? = table?.rows else { return 0 }
    return isCausal ? rows : rows / 2
  }
  /// The number of distances with their own bucket.
  var exact: Int { buckets / 2 }
  private var dependsOnDistance: Bool { distance > 0 && table != nil }

  /// Scratch floats of `make`.
  func floats(keys: Int) -> Int {
    dependsOnDistance || table == nil && window > 0 ? (2 * keys + 15) & ~15 : window > 0 ? (keys * keys + 15) & ~15 : 0
  }

  /// The row of the table for a key `offset` rows after the query, rounded as by T5's float32.
  func bucket(_ offset: Int) -> Int {
    let start = offset > 0 && !isCausal ? buckets : 0
    let far = isCausal ? max(0, -offset) : abs(offset)
    guard far >= exact else { return start + far }
    let ratio = logf(Float(far) / Float(exact)) / Float(log(Double(distance) / Double(exact)))
    return start + min(buckets - 1, exact + Int(ratio * Float(buckets - exact)))
  }

  /// The bias row of the first query, and floats from one query's row to the next; nil for none. Computed at `place`
  /// unless it is in memory.
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
    // One element for each offset: a query's row begins one element before that of the query before it.
    for offset in (1 - keys)..<keys {
      var value: Float = 0
      if let values { value = values[item * tableFloats + bucket(offset) * heads + head] }
      place[keys - 1 + offset] = hasWindow && abs(offset) > window ? -.infinity : value
    }
    return (UnsafePointer(place + keys - 1 - firstQuery), -1)
  }

  private var tableFloats: Int { (isCausal ? buckets : 2 * buckets) * heads }

  /// Adds to the table's gradient. `slopes` [queries, keys] times `factor` is the gradient of the scores with bias.
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
