import CClip

extension OpDescriptor {
  /// A bias of attention that hides keys: for each query heads x keys elements, 0 or so low that the key has no weight.
  /// Keys are the `context_length` rows of the text and one more, for a class token. As CoCa's published weights were
  /// trained, the first key is seen, and key i + 1 is hidden if token i is `token`
  /// (https://github.com/mlfoundations/open_clip, _build_additive_mask).
  static let paddingBias = OpDescriptor(
    "padding_bias", inputs: 1,
    settings: [.integer("heads", 1...Builder.largestWidth), .integer("token", 0...Int(Int32.max))]
  ) { call throws(ClipError) in
    guard let tokens = call.builder.graph.nodes[call.inputs[0]] as? TokenInput, tokens.rule == CLIP_END_LAST else {
      throw call.expected("tokens that all count")
    }
    let keys = tokens.contextLength + 1
    let shape = Shape(rows: .fixed(keys), width: try product(try call.integer("heads"), keys, "biases"))
    return try call.add(
      PaddingBias(call.inputs[0], shape: shape, keys: keys, hidden: Int32(try call.integer("token"))))
  }
}

/// Hides the keys of padding; see the descriptor.
final class PaddingBias: Operation {
  private let keys: Int
  private let hidden: Int32

  init(_ tokens: Int, shape: Shape, keys: Int, hidden: Int32) {
    self.keys = keys
    self.hidden = hidden
    super.init(inputs: [tokens], shape: shape)
  }

  override var name: StaticString { "padding_bias" }
  override var isCheap: Bool { true }

  override func compute(_ run: Run, _ rows: Range<Int>) {
    for row in rows {
      let ids = run.batch.tokenIDs + row / keys * (keys - 1)
      let out = run.output.data + row * shape.width
      for element in 0..<shape.width {
        let key = element % keys
        out[element] = key > 0 && ids[key - 1] == hidden ? -1e30 : 0
      }
    }
  }
}
