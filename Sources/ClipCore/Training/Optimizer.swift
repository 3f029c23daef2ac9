import CClip
import CSystem

/// Updates parameters by their gradients: AdamW (Loshchilov and Hutter, 2019), or SGD with momentum. One thread at a
/// time.
struct Optimizer {
  struct Settings {
    var kind = CLIP_OPTIMIZER_ADAMW
    /// The decay of the first and second moment; for SGD, `beta1` is the momentum.
    var beta1 = 0.9
    var beta2 = 0.98
    var epsilon = 1e-6
    var weightDecay = 0.0
  }

  let settings: Settings
  let store: ParameterStore
  /// Running means of gradients, and of their squares; blocks like the store's gradients.
  let first: Memory
  let second: Memory?
  private let pieces: [Piece]
  private let partial: Memory

  /// A range of one parameter's elements.
  private struct Piece {
    let value: Int
    let trained: Int
    let count: Int
    let entry: Int
    let rate: Double
    let decays: Bool
  }

  private static let pieceFloats = 65536

  init(_ settings: Settings, _ store: ParameterStore) throws(ClipError) {
    var pieces: [Piece] = []
    for (index, entry) in store.entries.enumerated() {
      guard let trained = entry.trained, entry.kind == .learned else { continue }
      var start = 0
      while start < entry.count {
        let count = min(Optimizer.pieceFloats, entry.count - start)
        pieces.append(
          Piece(
            value: entry.offset + start, trained: trained + start, count: count, entry: index, rate: entry.rate,
            decays: entry.decays))
        start += count
      }
    }
    self.settings = settings
    self.store = store
    self.pieces = pieces
    first = try Memory(floats: store.trainedCount, for: "the optimiser's first moments")
    memset(first.base, 0, first.byteCount)
    var second: Memory?
    if settings.kind == CLIP_OPTIMIZER_ADAMW {
      let memory = try Memory(floats: store.trainedCount, for: "the optimiser's second moments")
      memset(memory.base, 0, memory.byteCount)
      second = memory
    }
    self.second = second
    partial = try Memory(byteCount: pieces.count * 8, for: "sums")
  }

  /// The norm of all gradients as one vector, summed in pieces of fixed size and order; NaN or infinite if a gradient
  /// is.
  func gradientNorm(_ threads: ThreadPool) -> Double {
    threads.run(pieces.count, Squares(pieces: pieces, gradients: store.gradients.floats, sums: sums))
    var total = 0.0
    for index in pieces.indices { total += sums[index] }
    return total.squareRoot()
  }

  private var sums: UnsafeMutablePointer<Double> { partial.base.assumingMemoryBound(to: Double.self) }

  private struct Squares: Work {
    let pieces: [Piece]
    let gradients: UnsafePointer<Float>
    let sums: UnsafeMutablePointer<Double>

    func part(_ index: Int) {
      let piece = pieces[index]
      let g = gradients + piece.trained
      var sum = SIMD8<Double>.zero
      forEachEight(piece.count) { i, lanes in
        let slopes = SIMD8<Double>(eight(g + i, lanes))
        sum += slopes * slopes
      }
      sums[index] = sum.sum()
    }
  }

  /// The first entry of the store whose gradient was not finite in the last `gradientNorm`.
  func firstBadEntry() -> Int? {
    for (index, piece) in pieces.enumerated().reversed() where !sums[index].isFinite { return piece.entry }
    return nil
  }

  /// Update number `step`, from 1. Gradients are first multiplied by `scale`.
  func update(step: UInt64, rate: Double, scale: Double, threads: ThreadPool) {
    threads.run(
      pieces.count,
      Update(
        settings: settings, pieces: pieces, values: store.values.floats, gradients: store.gradients.floats,
        first: first.floats, second: second?.floats, rate: rate, scale: scale,
        correction1: 1 - pow(settings.beta1, Double(step)), correction2: 1 - pow(settings.beta2, Double(step)),
        isFirst: step == 1))
    for (index, entry) in store.entries.enumerated() where entry.kind == .statistic {
      if let next = store.gradient(index) { memcpy(store.value(index), next, entry.count * 4) }
    }
  }

  private struct Update: Work {
    let settings: Settings
    let pieces: [Piece]
    let values: UnsafeMutablePointer<Float>
    let gradients: UnsafePointer<Float>
    let first: UnsafeMutablePointer<Float>
    let second: UnsafeMutablePointer<Float>?
    let rate: Double
    let scale: Double
    let correction1: Double
    let correction2: Double
    let isFirst: Bool

    func part(_ index: Int) {
      let piece = pieces[index]
      let w = values + piece.value
      let g = gradients + piece.trained
      let m = first + piece.trained
      let rate = rate * piece.rate
      let decay = piece.decays ? settings.weightDecay : 0
      let scale = Float(scale)
      if let second {
        let v = second + piece.trained
        let keep = Float(1 - rate * decay)
        let beta1 = Float(1 - settings.beta1)
        let beta2 = Float(settings.beta2)
        let rest2 = Float(1 - settings.beta2)
        let step = Float(rate / correction1)
        let root = Float(correction2.squareRoot())
        let epsilon = Float(settings.epsilon)
        forEachEight(piece.count) { i, lanes in
          let gradient = eight(g + i, lanes) * scale
          let old = eight(m + i, lanes)
          let mean = old + (gradient - old) * beta1
          let square = eight(v + i, lanes) * beta2 + gradient * gradient * rest2
          put(mean, m + i, lanes)
          put(square, v + i, lanes)
          let change = step * (mean / (csystem_square_roots8(square) / root + epsilon))
          put(eight(w + i, lanes) * keep - change, w + i, lanes)
        }
      } else {
        // As in PyTorch: weight decay is added to the gradient, and the first momentum is the gradient itself.
        let momentum = Float(settings.beta1)
        let decay = Float(decay)
        let step = Float(rate)
        forEachEight(piece.count) { i, lanes in
          let value = eight(w + i, lanes)
          let gradient = eight(g + i, lanes) * scale + decay * value
          let velocity = isFirst ? gradient : eight(m + i, lanes) * momentum + gradient
          put(velocity, m + i, lanes)
          put(value - step * velocity, w + i, lanes)
        }
      }
    }
  }
}

/// The learning rate of each step.
struct Schedule {
  var kind = CLIP_SCHEDULE_CONSTANT
  var rate = 5e-4
  var warmUp: UInt64 = 0
  var total: UInt64 = 0
  /// The final rate, as a share of `rate`.
  var floor = 0.0

  /// The rate of the update after `step` updates.
  func rate(at step: UInt64) -> Double {
    if step < warmUp { return rate * Double(step + 1) / Double(warmUp) }
    guard kind != CLIP_SCHEDULE_CONSTANT, total > warmUp else { return rate }
    let done = min(1, Double(step - warmUp) / Double(total - warmUp))
    let share = kind == CLIP_SCHEDULE_LINEAR ? 1 - done : 0.5 * (1 + cos(Double.pi * done))
    return rate * (floor + (1 - floor) * share)
  }
}
