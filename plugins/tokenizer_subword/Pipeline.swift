import CClip
import ClipBase

/// A tokenizer described by tokenizer.json: the steps that are applied to a text, in order.
struct Pipeline {
  /// The names and flags of tokens that are searched for in the text.
  var added: [AddedToken] = []
  var normalizers: [Normalizer] = []
  var preTokenizers: [PreTokenizer] = []
  var model: TokenModel
  /// The vocabulary of the model and the added tokens.
  var vocabulary: Vocabulary
  /// The tokens before and after each text.
  var start: [Int32] = []
  var end: [Int32] = []
  /// nil if the file has no padding.
  var padToken: Int32?
  var padsLeft = false
  var truncatesLeft = false
  /// The path of the file.
  let place: String

  /// Sets `keepsStart` to false if the first character of `text` is removed.
  func normalized(_ text: Scalars, _ keepsStart: inout Bool) throws(ClipError) -> Scalars {
    var text = text
    for normalizer in normalizers {
      if keepsStart, try normalizer.dropsStart(of: text) { keepsStart = false }
      text = try normalizer.normalize(text)
    }
    return text
  }
}

/// Encodes texts as `tokenizers` does with a tokenizer.json (https://huggingface.co/docs/tokenizers).
final class PipelineTokenizer: Tokenizer {
  private let pipeline: Pipeline
  private let specials: SpecialTokens
  private let textRepair = TextRepair()
  /// Whether texts are first converted to lower case, as in sentence-transformers.
  private let lowersFirst: Bool
  /// Whether a step treats the start of the text differently.
  private let asksForStart: Bool

  init(_ pipeline: Pipeline, padToken: Int32, lowersFirst: Bool, contextLength: Int) throws(ClipError) {
    self.pipeline = pipeline
    self.lowersFirst = lowersFirst
    asksForStart = pipeline.preTokenizers.contains {
      if case .metaspace(_, .first, _) = $0 { true } else { false }
    }
    var tokens: [SpecialTokens.Token] = []
    for token in pipeline.added {
      guard let id = pipeline.vocabulary.id(token.name) else { continue }
      tokens.append(SpecialTokens.Token(token, id: id))
    }
    do throws(ClipError) {
      specials = try SpecialTokens(tokens) { name throws(ClipError) in
        var keepsStart = false
        return try pipeline.normalized(name, &keepsStart)
      }
    } catch {
      throw error.at(pipeline.place)
    }
    super.init(contextLength: contextLength, start: pipeline.start, end: pipeline.end, padToken: padToken)
    truncatesLeft = pipeline.truncatesLeft
    padsLeft = pipeline.padsLeft
  }

  override func encode(_ text: Scalars, cleaning: TextCleaning, limit: Int) throws(ClipError) -> [Int32] {
    var text = try textRepair.clean(text, cleaning)
    if lowersFirst { text = lowercased(text, finalSigma: true) }
    var output = TokenOutput(limit: limit)
    var isAtStart = asksForStart
    for part in specials.split(text[...], normalized: false) where !output.isFull {
      switch part {
      case .token(let id): output.append(id)
      case .text(let plain):
        var isFirst = isAtStart
        let normal = try pipeline.normalized(Array(plain), &isFirst)
        for part in specials.split(normal[...], normalized: true) where !output.isFull {
          switch part {
          case .token(let id): output.append(id)
          case .text(let plain): try append(plain, isAtStart: isFirst, &output)
          }
          isFirst = false
        }
      }
      isAtStart = false
    }
    return output.tokens
  }

  private func append(_ text: ArraySlice<UInt32>, isAtStart: Bool, _ output: inout TokenOutput) throws(ClipError) {
    var pieces = Pieces(Array(text), isAtStart: isAtStart)
    for step in pipeline.preTokenizers { pieces = try step.apply(to: pieces) }
    for index in pieces.ends.indices where !output.isFull { pipeline.model.append(pieces[index], &output) }
  }
}
