import CClip

extension OpDescriptor {
  /// A graph has one input of images, and one of texts.
  static let pixels = OpDescriptor(
    "pixels", inputs: 0, settings: [.integer("height", 1...16384), .integer("width", 1...16384)]
  ) { call throws(ClipError) in
    let (height, width) = (try call.integer("height"), try call.integer("width"))
    for (index, node) in call.builder.graph.nodes.enumerated() {
      guard let input = node as? PixelInput else { continue }
      if input.height == height, input.width == width { return index }
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "expected one size for all, found \(width) x \(height) after \(input.width) x \(input.height)")
    }
    return try call.add(PixelInput(height: height, width: width))
  }

  static let tokens = OpDescriptor(
    "tokens", inputs: 0,
    settings: [
      .integer("vocabulary", 1...1 << 24), .integer("context_length", 1...65536),
      .integer("end_rule", 0...Int(CLIP_END_LAST.rawValue)),
      .integer("end_token", Int(Int32.min)...Int(Int32.max), default: 0),
    ]
  ) { call throws(ClipError) in
    let (vocabulary, endToken) = (try call.integer("vocabulary"), try call.integer("end_token"))
    let rule = clip_end_rule(UInt32(try call.integer("end_rule")))
    let needsToken = rule == CLIP_END_TOKEN_ID || rule == CLIP_END_PADDING
    guard !needsToken || (0..<vocabulary).contains(endToken) else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT, "expected an end token in the vocabulary of \(vocabulary), found \(endToken)")
    }
    let input = TokenInput(
      vocabulary: vocabulary, contextLength: try call.integer("context_length"), rule: rule,
      endToken: needsToken ? Int32(endToken) : 0)
    for (index, node) in call.builder.graph.nodes.enumerated() {
      guard let other = node as? TokenInput else { continue }
      if other.isSame(as: input) { return index }
      throw ClipError(CLIP_INVALID_ARGUMENT, "expected one vocabulary, length and end for all, found two")
    }
    return try call.add(input)
  }
}

/// The image input: copied from the caller's [n, 3, height, width] to a grid with channels last.
final class PixelInput: Operation {
  let height: Int
  let width: Int

  init(height: Int, width: Int) {
    self.height = height
    self.width = width
    super.init(inputs: [], shape: .grid(height, width, channels: 3))
  }

  override var name: StaticString { "pixels" }

  override func run(_ run: Run) { run.parallel(self, run.batch.items * height, grain: max(1, 16384 / width)) }

  /// `lines` are lines of pixels, counted over the batch.
  override func compute(_ run: Run, _ lines: Range<Int>) {
    guard let pixels = run.batch.pixels else { return }
    let plane = height * width
    for line in lines {
      let source = pixels + line / height * 3 * plane + line % height * width
      var target = run.output.data + line * width * 3
      for column in 0..<width {
        target[0] = source[column]
        target[1] = source[plane + column]
        target[2] = source[2 * plane + column]
        target += 3
      }
    }
  }

  override var isCheap: Bool { true }
}

/// The text input: token ids stay integers in the batch; only an embedding reads them.
final class TokenInput: Operation {
  let vocabulary: Int
  let contextLength: Int
  let rule: clip_end_rule
  let endToken: Int32

  init(vocabulary: Int, contextLength: Int, rule: clip_end_rule, endToken: Int32) {
    self.vocabulary = vocabulary
    self.contextLength = contextLength
    self.rule = rule
    self.endToken = endToken
    super.init(inputs: [], shape: Shape(rows: .tokens, width: 1))
  }

  override var name: StaticString { "tokens" }
  override var ignoresRowsAfterEnd: Bool { true }

  /// Whether rows of padding are never computed.
  var dropsPadding: Bool { rule == CLIP_END_PADDING }

  func isSame(as other: TokenInput) -> Bool {
    vocabulary == other.vocabulary && contextLength == other.contextLength && rule == other.rule
      && endToken == other.endToken
  }

  /// The token that a text without an end lacks, for messages.
  var missingEnd: String { dropsPadding ? "a token before padding, id \(endToken)" : "an end token, id \(endToken)" }

  /// The position of the end token among `contextLength` ids; nil if there is none.
  func end(of tokens: UnsafePointer<Int32>) -> Int? {
    switch rule {
    case CLIP_END_LARGEST_ID:
      var best = 0
      for position in 1..<max(1, contextLength) where tokens[position] > tokens[best] { best = position }
      return best
    case CLIP_END_PADDING:
      for position in 0..<contextLength where tokens[position] == endToken {
        return position == 0 ? nil : position - 1
      }
      return contextLength - 1
    case CLIP_END_LAST: return contextLength - 1
    default:
      for position in 0..<contextLength where tokens[position] == endToken { return position }
      return nil
    }
  }
}
