import CClip
import CSystem

/// Low-rank adaptation (Hu et al., 2021, https://arxiv.org/abs/2106.09685): a matrix W in training is
/// W0 + scale B A, with W0 frozen. The graph knows nothing of it: W is made again after each update, and its
/// gradient goes on to A and B.
final class LowRank {
  private struct Target {
    /// Entries of the store: the matrix, A [rank, depth] and B [features, rank].
    let matrix: Int
    let a: Int
    let b: Int
    let base: Memory
  }

  private let store: ParameterStore
  let scale: Double
  private let targets: [Target]
  private let products: Products
  private var buffer = GrowingBuffer()

  /// A starts random, B at 0, so that training starts from W0.
  convenience init(_ settings: LowRankSettings, _ store: ParameterStore, _ products: Products, seed: UInt64)
    throws(ClipError)
  {
    var targets: [Target] = []
    for (index, entry) in store.entries.enumerated() where entry.kind == .derived {
      guard let a = store.index(entry.parameter.name + ".low_rank_a"),
        let b = store.index(entry.parameter.name + ".low_rank_b")
      else { continue }
      let base = try Memory(floats: entry.count, for: "frozen weights")
      memcpy(base.base, store.value(index), entry.count * 4)
      var stream = RandomStream(seed: seed, purpose: .weights, stream: UInt64(index))
      let deviation = 1 / Double(entry.parameter.shape[1]).squareRoot()
      for place in 0..<store.entries[a].count { store.value(a)[place] = Float(stream.normal() * deviation) }
      targets.append(Target(matrix: index, a: a, b: b, base: base))
    }
    self.init(settings, store, targets, products)
  }

  private init(_ settings: LowRankSettings, _ store: ParameterStore, _ targets: [Target], _ products: Products) {
    scale = settings.scale
    self.store = store
    self.targets = targets
    self.products = products
  }

  private func sizes(_ target: Target) -> Sizes {
    let shape = store.entries[target.matrix].parameter.shape
    return Sizes(features: shape[0], depth: shape[1], rank: store.entries[target.a].parameter.shape[0])
  }

  struct Sizes {
    let features: Int
    let depth: Int
    let rank: Int
  }

  private static func scratch(_ sizes: Sizes, _ products: Products, _ buffer: inout GrowingBuffer)
    throws(ClipError) -> (scaled: UnsafeMutablePointer<Float>, rest: UnsafeMutablePointer<Float>)
  {
    let (features, depth, rank) = (sizes.features, sizes.depth, sizes.rank)
    let scaled = (max(features, depth) * rank + 15) & ~15
    let rest = max(
      Products.forwardFloats(rows: features, depth, rank, products.kernels),
      Products.forwardFloats(rows: features, rank, depth, products.kernels),
      Products.backwardFloats(rows: features, rank, depth, products.kernels))
    let memory = try buffer.reserve(try product(scaled + rest, 4, "low-rank updates"), for: "low-rank updates")
      .assumingMemoryBound(to: Float.self)
    return (memory, memory + scaled)
  }

  /// `matrix` += scale B A.
  static func add(
    a: UnsafePointer<Float>, b: UnsafePointer<Float>, scale: Double, _ sizes: Sizes,
    to matrix: UnsafeMutablePointer<Float>,
    _ products: Products, _ buffer: inout GrowingBuffer
  ) throws(ClipError) {
    let (scaled, rest) = try scratch(sizes, products, &buffer)
    for index in 0..<(sizes.features * sizes.rank) { scaled[index] = Float(scale * Double(b[index])) }
    let packed = products.pack(
      Products.Matrix(data: a, stride: sizes.depth), .columns, columns: sizes.depth, depth: sizes.rank, into: rest)
    products.multiply(
      Products.Matrix(data: scaled, stride: sizes.rank), packed, matrix, cStride: sizes.depth, rows: sizes.features,
      adding: true)
  }

  /// W = W0 + scale B A.
  func apply() throws(ClipError) {
    for target in targets {
      let matrix = store.value(target.matrix)
      memcpy(matrix, target.base.base, target.base.byteCount)
      try LowRank.add(
        a: store.value(target.a), b: store.value(target.b), scale: scale, sizes(target), to: matrix, products, &buffer)
    }
  }

  /// dB += scale dW A', dA += scale B' dW.
  func takeGradients() throws(ClipError) {
    for target in targets {
      let sizes = sizes(target)
      let (features, depth, rank) = (sizes.features, sizes.depth, sizes.rank)
      guard let dw = store.gradient(target.matrix), let da = store.gradient(target.a), let db = store.gradient(target.b)
      else { continue }
      let (scaled, rest) = try LowRank.scratch(sizes, products, &buffer)
      let a = store.value(target.a)
      let b = store.value(target.b)
      let gradient = Products.Matrix(data: dw, stride: depth)
      for index in 0..<(rank * depth) { scaled[index] = Float(scale * Double(a[index])) }
      let packed = products.pack(
        Products.Matrix(data: scaled, stride: depth), .rows, columns: rank, depth: depth, into: rest)
      products.multiply(gradient, packed, db, cStride: rank, rows: features, adding: true)
      for index in 0..<(features * rank) { scaled[index] = Float(scale * Double(b[index])) }
      products.weights(
        Products.Matrix(data: scaled, stride: rank), gradient, rows: features, features: rank, depth: depth, into: da,
        rest)
    }
  }
}
