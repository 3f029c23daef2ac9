import CClip
import CSystem

/// Low-rank adaptation (Hu et al., 2021, https://arxiv.org/abs/2106.09685): a matrix in training is W = W0 + scale B A,
/// with W0 frozen. The graph uses W only: it is computed after each update, and its gradient is passed on to A and B.
struct LowRank {
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
  private let executor: Executor
  private var buffer = GrowingBuffer()

  /// A starts random and B at 0, so that W starts at W0.
  init(_ settings: LowRankSettings, _ store: ParameterStore, _ executor: Executor, seed: UInt64)
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
    scale = settings.scale
    self.store = store
    self.targets = targets
    self.executor = executor
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

  private static func scratch(_ sizes: Sizes, _ executor: Executor, _ buffer: inout GrowingBuffer)
    throws(ClipError) -> (scaled: UnsafeMutablePointer<Float>, rest: UnsafeMutablePointer<Float>)
  {
    let (features, depth, rank) = (sizes.features, sizes.depth, sizes.rank)
    let scaled = (max(features, depth) * rank + 15) & ~15
    let update = ProductSize(rows: features, columns: depth, depth: rank, packsRight: true)
    let onto = ProductSize(rows: features, columns: rank, depth: depth, packsRight: true)
    let rest = max(
      executor.scratchFloats(update), executor.scratchFloats(onto),
      LayerProducts(rows: features, columns: rank, depth: depth).backwardFloats(executor.kernels))
    let memory = try buffer.reserve(try product(scaled + rest, 4, "low-rank updates"), for: "low-rank updates")
      .assumingMemoryBound(to: Float.self)
    return (memory, memory + scaled)
  }

  /// `matrix` += scale B A.
  static func add(
    a: UnsafePointer<Float>, b: UnsafePointer<Float>, scale: Double, _ sizes: Sizes,
    to matrix: UnsafeMutablePointer<Float>,
    _ executor: Executor, _ buffer: inout GrowingBuffer
  ) throws(ClipError) {
    let (scaled, rest) = try scratch(sizes, executor, &buffer)
    for index in 0..<(sizes.features * sizes.rank) { scaled[index] = Float(scale * Double(b[index])) }
    executor.multiply(
      MatrixProduct(
        left: .rows(Matrix(data: UnsafePointer(scaled), stride: sizes.rank)),
        right: .matrix(
          Matrix(data: a, stride: sizes.depth), .transposed, columns: sizes.depth, depth: sizes.rank),
        rows: sizes.features, output: matrix, stride: sizes.depth, residual: UnsafePointer(matrix)), rest)
  }

  /// W = W0 + scale B A.
  mutating func apply() throws(ClipError) {
    for target in targets {
      let matrix = store.value(target.matrix)
      memcpy(matrix, target.base.base, target.base.byteCount)
      try LowRank.add(
        a: store.value(target.a), b: store.value(target.b), scale: scale, sizes(target), to: matrix, executor, &buffer)
    }
  }

  /// dB += scale dW A', dA += scale B' dW.
  mutating func takeGradients() throws(ClipError) {
    for target in targets {
      let sizes = sizes(target)
      let (features, depth, rank) = (sizes.features, sizes.depth, sizes.rank)
      guard let dw = store.gradient(target.matrix), let da = store.gradient(target.a), let db = store.gradient(target.b)
      else { continue }
      let (scaled, rest) = try LowRank.scratch(sizes, executor, &buffer)
      let a = store.value(target.a)
      let b = store.value(target.b)
      let gradient = Matrix(data: UnsafePointer(dw), stride: depth)
      for index in 0..<(rank * depth) { scaled[index] = Float(scale * Double(a[index])) }
      executor.multiply(
        MatrixProduct(
          left: .rows(gradient),
          right: .matrix(Matrix(data: UnsafePointer(scaled), stride: depth), .rows, columns: rank, depth: depth),
          rows: features, output: db, stride: rank, residual: UnsafePointer(db)), rest)
      for index in 0..<(features * rank) { scaled[index] = Float(scale * Double(b[index])) }
      LayerProducts(rows: features, columns: rank, depth: depth).weightGradient(
        Matrix(data: UnsafePointer(scaled), stride: rank), gradient, into: da, adds: true, executor, rest)
    }
  }
}
