import CClip

/// The pictures: copied from the caller's [n, 3, height, width] to a grid with channels last.
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

  /// Some lines of pixels, counted over the batch.
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

/// The texts: token ids stay integers in the batch; only an embedding reads them.
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

  /// Padding is not computed, whatever the graph does with it.
  var dropsPadding: Bool { rule == CLIP_END_PADDING }

  func isSame(as other: TokenInput) -> Bool {
    vocabulary == other.vocabulary && contextLength == other.contextLength && rule == other.rule
      && endToken == other.endToken
  }

  /// What a text without an end lacks.
  var missingEnd: String { dropsPadding ? "a token before padding, id \(endToken)" : "an end token, id \(endToken)" }

  /// The position of the end token among `contextLength` ids; nil where there is none.
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

/// One learned row, the same for every item, such as a class token: a vector, or one row of a table.
final class RowParameter: Operation {
  let parameter: Parameter
  private let row: Int
  private var values: Memory?

  init(_ name: Name, width: Int) {
    parameter = Parameter(name: name, shape: [width])
    row = 0
    super.init(inputs: [], shape: Shape(rows: .one, width: width))
  }

  init(_ name: Name, rows: Int, row: Int, width: Int) {
    parameter = Parameter(name: name, shape: [rows, width])
    self.row = row
    super.init(inputs: [], shape: Shape(rows: .one, width: width))
  }

  override var name: StaticString { "row parameter" }
  override var parameters: [Parameter] { [parameter] }
  override func load(_ loader: ParameterLoader) throws(ClipError) { values = try loader.vector(parameter) }

  override func run(_ run: Run) {
    guard let values else { return }
    for item in 0..<run.batch.items {
      (run.output.data + item * shape.width).update(from: values.floats + row * shape.width, count: shape.width)
    }
  }

  override var isDifferentiable: Bool { true }
  override func backward(_ context: TrainingContext) {
    guard let table = context.parameterGradient(0) else { return }
    let dy = context.gradient
    for item in 0..<dy.rows { addFloats(dy.data + item * dy.width, dy.width, to: table + row * dy.width) }
  }
}
