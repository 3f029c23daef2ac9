import CSystem

extension Model {
  /// logits[i, j] = scale * images[i] . texts[j] + bias, summed in double precision.
  func similarity(
    _ images: UnsafePointer<Float>, _ n: Int, _ texts: UnsafePointer<Float>, _ m: Int,
    into logits: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<n {
      let image = images + i * embeddingWidth
      for j in 0..<m {
        let text = texts + j * embeddingWidth
        var sum = 0.0
        for k in 0..<embeddingWidth { sum += Double(image[k]) * Double(text[k]) }
        logits[i * m + j] = Float(Double(logitScale) * sum + Double(logitBias ?? 0))
      }
    }
  }

  /// A softmax over each row or, for a model with a bias, a sigmoid of each logit (Zhai et al.,
  /// 2023, https://arxiv.org/abs/2303.15343).
  func logitsToProbabilities(_ logits: UnsafeMutablePointer<Float>, _ n: Int, _ m: Int) {
    if logitBias != nil {
      for index in 0..<(n * m) { logits[index] = 1 / (1 + expf(-logits[index])) }
      return
    }
    for i in 0..<n {
      let row = logits + i * m
      var largest = row[0]
      for j in 1..<max(1, m) { largest = max(largest, row[j]) }
      var sum = 0.0
      for j in 0..<m {
        let power = exp(Double(row[j] - largest))
        row[j] = Float(power)
        sum += power
      }
      for j in 0..<m { row[j] = Float(Double(row[j]) / sum) }
    }
  }
}
