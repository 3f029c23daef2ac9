import CClip

/// Checks the arguments that both calls share, then runs `body`.
private func scores(
  _ model: OpaquePointer?, _ images: UnsafePointer<Float>?, _ n: Int, _ texts: UnsafePointer<Float>?, _ m: Int,
  _ out: UnsafeMutablePointer<Float>?, _ capacity: Int, _ what: StaticString,
  _ body: (Model, UnsafeMutablePointer<Float>) -> Void
) -> clip_status {
  reporting { () throws(ClipError) in
    let model = try object(model, OpenModel.self, "model").current
    let images = try required(images, "images")
    let texts = try required(texts, "texts")
    try requirePositive(n, "n")
    try requirePositive(m, "m")
    let out = try buffer(out, capacity, for: n, of: m, what)
    model.similarity(images, n, texts, m, into: out)
    body(model, out)
  }
}

@c @implementation
public func clip_similarity(
  _ model: OpaquePointer?, _ images: UnsafePointer<Float>?, _ n: Int, _ texts: UnsafePointer<Float>?, _ m: Int,
  _ logits: UnsafeMutablePointer<Float>?, _ capacity: Int
) -> clip_status {
  scores(model, images, n, texts, m, logits, capacity, "logits") { _, _ in }
}

@c @implementation
public func clip_classify(
  _ model: OpaquePointer?, _ images: UnsafePointer<Float>?, _ n: Int, _ texts: UnsafePointer<Float>?, _ m: Int,
  _ probabilities: UnsafeMutablePointer<Float>?, _ capacity: Int
) -> clip_status {
  scores(model, images, n, texts, m, probabilities, capacity, "probabilities") { model, out in
    model.logitsToProbabilities(out, n, m)
  }
}
