import CClip
import CSystem

/// One term of the loss, and its weight.
struct LossTerm {
  let kind: clip_loss
  let weight: Double
  let labelSmoothing: Double
}

/// A teacher's output for a batch: logits [n, n], or embeddings [n, width] and the scale of their cosines.
struct Teacher {
  var logits: UnsafePointer<Float>?
  var images: UnsafePointer<Float>?
  var texts: UnsafePointer<Float>?
  var width = 0
  var scale: Double = 1

  /// The name of the part that makes the loss not finite; nil if none does. A logit of minus infinity is a probability
  /// of 0.
  func firstBad(_ n: Int) -> String? {
    if let logits {
      for index in 0..<(n * n) where !(logits[index] < .infinity) { return "batch.teacher_logits" }
      return nil
    }
    for index in 0..<(n * width) {
      if images?[index].isFinite == false { return "batch.teacher_images" }
      if texts?[index].isFinite == false { return "batch.teacher_texts" }
    }
    return scale.isFinite ? nil : "batch.teacher_scale"
  }
}

/// The loss of n images against n captions, and its gradient. Item i of one belongs to item i of the other.
final class PairLoss {
  private(set) var loss = 0.0
  private(set) var accuracy = 0.0
  /// The gradients of log(scale) and of the bias.
  private(set) var scaleGradient = 0.0
  private(set) var biasGradient = 0.0
  private var buffer = GrowingBuffer()

  /// Replaces the features, [n, width] each, by their gradients.
  func compute(
    _ images: UnsafeMutablePointer<Float>, _ texts: UnsafeMutablePointer<Float>, n: Int, width: Int, logScale: Double,
    bias: Double, terms: [LossTerm], teacher: Teacher?, executor: Executor
  ) throws(ClipError) {
    let square = (try product(n, n, "logits") + 15) & ~15
    let side = (try product(n, width, "features") + 15) & ~15
    let products = LayerProducts(rows: n, columns: n, depth: width)
    let packing = max(
      products.forwardFloats(executor.kernels), products.backwardFloats(executor.kernels),
      teacher.map { LayerProducts(rows: n, columns: n, depth: $0.width).forwardFloats(executor.kernels) } ?? 0)
    let needsTeacher = terms.contains { $0.kind == CLIP_LOSS_DISTILLATION }
    let squares = needsTeacher ? 5 : 3
    let floats = try product(square, squares, "logits") + 2 * side + 2 * n + 16 + packing
    let memory = try buffer.reserve(try product(floats, 4, "logits"), for: "logits").assumingMemoryBound(to: Float.self)
    let z = memory
    let dz = memory + square
    let transposed = memory + 2 * square
    let normalImages = memory + squares * square
    let normalTexts = normalImages + side
    let norms = normalTexts + side
    let scratch = norms + (2 * n + 15) & ~15

    normalise(images, n, width, into: normalImages, norms)
    normalise(texts, n, width, into: normalTexts, norms + n)
    let scale = exp(logScale)
    func matrix(_ data: UnsafePointer<Float>) -> Matrix { Matrix(data: data, stride: width) }
    products.forward(matrix(normalImages), matrix(normalTexts), into: z, stride: n, executor, scratch)
    for index in 0..<(n * n) { z[index] = Float(scale * Double(z[index]) + bias) }
    memset(dz, 0, n * n * 4)

    var rows = PairRows(n: n, executor: executor, logits: z, gradient: dz, transposed: transposed)
    if let teacher, needsTeacher {
      rows.teacher = UnsafePointer(memory + 3 * square)
      rows.transposedTeacher = UnsafePointer(memory + 4 * square)
      teacherLogits(teacher, n, executor, into: memory + 3 * square, scratch)
      executor.transpose(
        Matrix(data: UnsafePointer(memory + 3 * square), stride: n), rows: n, columns: n, into: memory + 4 * square)
    }
    let (total, right) = try rows.add(terms)
    loss = total
    accuracy = Double(right) / Double(2 * n)

    scaleGradient = 0
    biasGradient = 0
    for row in 0..<n {
      var aligned = 0.0
      var sum = 0.0
      for column in 0..<n {
        aligned += Double(dz[row * n + column]) * (Double(z[row * n + column]) - bias)
        sum += Double(dz[row * n + column])
      }
      scaleGradient += aligned
      biasGradient += sum
    }
    for index in 0..<(n * n) { dz[index] = Float(Double(dz[index]) * scale) }
    let gradient = Matrix(data: UnsafePointer(dz), stride: n)
    // The raw features can be computed from the unit ones and their norms, so their memory is free.
    products.inputGradient(gradient, matrix(normalTexts), into: images, stride: width, adds: false, executor, scratch)
    products.weightGradient(gradient, matrix(normalImages), into: texts, adds: false, executor, scratch)
    throughNorm(images, normalImages, norms, n, width)
    throughNorm(texts, normalTexts, norms + n, n, width)
  }

  /// x / |x| for each row, as PyTorch's normalize computes it.
  private func normalise(
    _ x: UnsafePointer<Float>, _ n: Int, _ width: Int, into normal: UnsafeMutablePointer<Float>,
    _ norms: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<n {
      var squares = 0.0
      for column in 0..<width { squares += Double(x[row * width + column]) * Double(x[row * width + column]) }
      let norm = max(squares.squareRoot(), 1e-12)
      norms[row] = Float(norm)
      for column in 0..<width { normal[row * width + column] = Float(Double(x[row * width + column]) / norm) }
    }
  }

  /// The gradient of x from that of x / |x| in place: (g - u (u g)) / |x|.
  private func throughNorm(
    _ g: UnsafeMutablePointer<Float>, _ u: UnsafePointer<Float>, _ norms: UnsafePointer<Float>, _ n: Int, _ width: Int
  ) {
    for row in 0..<n {
      let start = row * width
      var dot = 0.0
      for column in 0..<width { dot += Double(g[start + column]) * Double(u[start + column]) }
      for column in 0..<width {
        g[start + column] = Float((Double(g[start + column]) - dot * Double(u[start + column])) / Double(norms[row]))
      }
    }
  }

  private func teacherLogits(
    _ teacher: Teacher, _ n: Int, _ executor: Executor, into logits: UnsafeMutablePointer<Float>,
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    if let given = teacher.logits {
      memcpy(logits, given, n * n * 4)
    } else if let images = teacher.images, let texts = teacher.texts {
      LayerProducts(rows: n, columns: n, depth: teacher.width).forward(
        Matrix(data: images, stride: teacher.width), Matrix(data: texts, stride: teacher.width), into: logits,
        stride: n, executor, scratch)
      for index in 0..<(n * n) { logits[index] = Float(teacher.scale * Double(logits[index])) }
    }
  }
}

/// The losses over the rows of the logits (images), and of their transpose (captions).
private struct PairRows {
  let n: Int
  let executor: Executor
  let logits: UnsafeMutablePointer<Float>
  /// The sum of the terms' gradients.
  let gradient: UnsafeMutablePointer<Float>
  let transposed: UnsafeMutablePointer<Float>
  var teacher: UnsafePointer<Float>?
  var transposedTeacher: UnsafePointer<Float>?

  /// Returns the weighted sum of the terms, and the number of rows of both whose largest logit is the pair's.
  func add(_ terms: [LossTerm]) throws(ClipError) -> (loss: Double, right: Int) {
    let results = try Memory(byteCount: try product(n, 16, "losses"), for: "losses")
    let rows = results.base.assumingMemoryBound(to: Double.self)
    var loss = 0.0
    var right = 0
    // Captions first: their gradient, computed on the transpose, is transposed back, then the images' is added.
    executor.transpose(Matrix(data: UnsafePointer(logits), stride: n), rows: n, columns: n, into: transposed)
    executor.run(
      n,
      Row(
        n: n, terms: terms, z: transposed, target: transposed, isCaption: true, teacher: transposedTeacher,
        results: rows))
    for row in 0..<n {
      loss += rows[2 * row]
      right += Int(rows[2 * row + 1])
    }
    executor.transpose(Matrix(data: UnsafePointer(transposed), stride: n), rows: n, columns: n, into: gradient)
    executor.run(
      n, Row(n: n, terms: terms, z: logits, target: gradient, isCaption: false, teacher: teacher, results: rows))
    for row in 0..<n {
      loss += rows[2 * row]
      right += Int(rows[2 * row + 1])
    }
    withExtendedLifetime(results) {}
    return (loss, right)
  }

  /// The terms of one row. With `isCaption`, `target` is `z` itself and is replaced; else it is added to.
  private struct Row: Work {
    let n: Int
    let terms: [LossTerm]
    let z: UnsafeMutablePointer<Float>
    let target: UnsafeMutablePointer<Float>
    let isCaption: Bool
    let teacher: UnsafePointer<Float>?
    let results: UnsafeMutablePointer<Double>

    func part(_ row: Int) {
      let z = z + row * n
      let target = target + row * n
      var best = 0
      for column in 0..<n where z[column] > z[best] { best = column }
      let top = Double(z[best])
      var sum = 0.0
      for column in 0..<n { sum += exp(Double(z[column]) - top) }
      let logSum = top + log(sum)
      let own = Double(z[row])
      var loss = 0.0
      var cross = 0.0
      var smoothing = 0.0
      var sigmoid = 0.0
      var distil = 0.0
      let share = 1 / Double(n)
      for term in terms {
        switch term.kind {
        case CLIP_LOSS_SIGMOID: if !isCaption { sigmoid += term.weight * share }
        case CLIP_LOSS_DISTILLATION: distil += term.weight * 0.5 * share
        default:
          let weight = term.weight * 0.5 * share
          cross += weight
          smoothing += weight * term.labelSmoothing
          loss += weight * (1 - term.labelSmoothing) * (logSum - own)
        }
      }
      var teacherTop = 0.0
      var teacherSum = 0.0
      let taught = distil != 0 ? teacher.map { $0 + row * n } : nil
      if let taught {
        teacherTop = Double(taught[0])
        for column in 0..<n { teacherTop = max(teacherTop, Double(taught[column])) }
        for column in 0..<n { teacherSum += exp(Double(taught[column]) - teacherTop) }
      }
      for column in 0..<n {
        let value = Double(z[column])
        let probability = exp(value - logSum)
        var slope = (cross + (taught == nil ? 0 : distil)) * probability - smoothing * share
        if column == row { slope -= cross - smoothing }
        loss += smoothing * share * (logSum - value)
        if let taught {
          let wanted = exp(Double(taught[column]) - teacherTop) / teacherSum
          slope -= distil * wanted
          loss += distil * wanted * (logSum - value)
        }
        if sigmoid != 0 {
          // -log sigmoid(y z), y 1 for the pair and -1 for the others.
          let sign: Double = column == row ? 1 : -1
          let x = -sign * value
          loss += sigmoid * (max(x, 0) + log1p(exp(-abs(x))))
          slope -= sigmoid * sign / (1 + exp(sign * value))
        }
        target[column] = Float(slope + (isCaption ? 0 : Double(target[column])))
      }
      results[2 * row] = loss
      results[2 * row + 1] = best == row ? 1 : 0
    }
  }
}
