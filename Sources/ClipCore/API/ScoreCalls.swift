import CClip

/// Checks what both calls take, then runs `body`.
private func scores(
  _ model: OpaquePointer?, _ images: UnsafePointer<Float>?, _ n: Int, _ texts: UnsafePointer<Float>?, _ m: Int,
  _ out: UnsafeMutablePointer<Float>?, _ what: StaticString,
  _ body: (Model, UnsafeMutablePointer<Float>) -> Void
) -> clip_status {
  reporting { () throws(ClipError) in
    let model = try object(model, OpenModel.self, "model").current
    let images = try required(images, "images")
    let texts = try required(texts, "texts")
    let out = try required(out, what)
    try requirePositive(n, "n")
    try requirePositive(m, "m")
    _ = try product(n, m, "n times m")
    model.similarity(images, n, texts, m, into: out)
    body(model, out)
  }
}

@c @implementation
public func clip_similarity(
  _ model: OpaquePointer?, _ images: UnsafePointer<Float>?, _ n: Int, _ texts: UnsafePointer<Float>?, _ m: Int,
  _ logits: UnsafeMutablePointer<Float>?
) -> clip_status {
  scores(model, images, n, texts, m, logits, "logits") { _, _ in }
}

@c @implementation
public func clip_classify(
  _ model: OpaquePointer?, _ images: UnsafePointer<Float>?, _ n: Int, _ texts: UnsafePointer<Float>?, _ m: Int,
  _ probabilities: UnsafeMutablePointer<Float>?
) -> clip_status {
  scores(model, images, n, texts, m, probabilities, "probabilities") { model, out in
    model.logitsToProbabilities(out, n, m)
  }
}
