import CClip
import Glibc

/// A reproducible generator: splitmix64 (Steele, Lea and Flood, 2014).
struct RandomNumbers {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// In [-1, 1).
  mutating func float() -> Float { Float(next() >> 40) / Float(1 << 23) - 1 }
  mutating func floats(_ count: Int) -> [Float] { (0..<count).map { _ in float() } }
  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(1, bound))) }
}

/// A model folder of one encoder with random weights, and the model opened from it.
struct RandomModel {
  static let largest = 2 << 30
  let folder: ByteString
  let facts: EncoderInfo

  /// `config` is a JSON object.
  init(encoder id: String, config: String, facts: EncoderInfo, in folder: ByteString) throws(CLIPError) {
    self.folder = folder
    self.facts = facts
    let info = facts
    let tower =
      facts.isText
      ? "\"text\": {\"encoder\": \"\(id)\", \"config\": \(config), \"tokenizer\": \"none\"}"
      : "\"image\": {\"encoder\": \"\(id)\", \"config\": \(config), "
        + "\"preprocess\": {\"size\": [\(info.imageHeight), \(info.imageWidth)]}}"
    try OutputFile.write(to: folder.appending(Array("clipcore.json".utf8))) { (writer) throws(CLIPError) in
      try writer.write("{\"version\": 1, \"embed_dim\": \(info.features), \(tower)}\n")
    }
    try OutputFile.write(to: folder.appending(Array("model.safetensors".utf8))) { (writer) throws(CLIPError) in
      try RandomModel.writeWeights(facts.tensors, writer)
    }
  }

  private static func writeWeights(_ tensors: [EncoderTensor], _ writer: FileWriter) throws(CLIPError) {
    var header: [(key: String, value: JSON)] = []
    var offset = 0
    for tensor in tensors {
      let end = offset + 4 * tensor.count
      header.append(
        (
          tensor.name,
          [
            "dtype": "F32", "shape": .array(tensor.shape.map { .integer($0) }),
            "data_offsets": .array([.integer(offset), .integer(end)]),
          ]
        ))
      offset = end
    }
    var text = Array(JSON.object(header).compact().utf8)
    text += [UInt8](repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
    try writer.write(withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) })
    try writer.write(text)
    var random = RandomNumbers(seed: 1)
    for tensor in tensors { try writer.write(values(tensor, &random)) }
  }

  /// Matrices that preserve the scale of their input, gains near 1, biases near 0.
  private static func values(_ tensor: EncoderTensor, _ random: inout RandomNumbers) -> [Float] {
    let fan = tensor.shape.dropFirst().reduce(1, *)
    let isGain = tensor.shape.count == 1 && (tensor.name.hasSuffix("weight") || tensor.name.hasSuffix("var"))
    let scale = tensor.shape.count > 1 ? 1.7 / Float(fan).squareRoot() : 0.1
    return (0..<tensor.count).map { _ in (isGain ? 1 : 0) + scale * random.float() }
  }

  func open(_ runtime: Runtime) throws(CLIPError) -> Model {
    try Model(try folder.utf8, runtime: runtime, towers: facts.isText ? .text : .image)
  }

  /// Random input of `encode` for `count` items.
  func input(_ count: Int) -> RandomInput {
    var random = RandomNumbers(seed: 2)
    let info = facts
    guard facts.isText else {
      return .pixels(random.floats(count * 3 * info.imageHeight * info.imageWidth))
    }
    let (length, vocabulary) = (info.contextLength, info.vocabularySize)
    var tokens: [Int32] = []
    for item in 0..<count {
      // A text token is any id except the end token or, if the largest id ends a text, the largest.
      var row = (0..<length).map { _ -> Int32 in
        let id = Int32(clamping: random.below(max(1, vocabulary - 1)))
        return id == info.endToken && vocabulary > 2 ? (id + 1) % Int32(clamping: vocabulary - 1) : id
      }
      let end = max(1, length - 1 - item)
      switch clip_end_rule(info.endRule) {
      case CLIP_END_LARGEST_ID: row[min(end, length - 1)] = Int32(clamping: vocabulary - 1)
      case CLIP_END_TOKEN_ID: row[min(end, length - 1)] = info.endToken
      case CLIP_END_PADDING: for position in end..<max(end, length) { row[position] = info.endToken }
      default: break
      }
      tokens += row
    }
    return .tokens(tokens)
  }
}

enum RandomInput {
  case pixels([Float])
  case tokens([Int32])

  /// Items [first, first + count) of `total`.
  func slice(_ first: Int, _ count: Int, of total: Int) -> RandomInput {
    switch self {
    case .pixels(let values):
      let size = values.count / total
      return .pixels(Array(values[first * size..<(first + count) * size]))
    case .tokens(let values):
      let size = values.count / total
      return .tokens(Array(values[first * size..<(first + count) * size]))
    }
  }

  func encode(_ model: Model) throws(CLIPError) -> [Float] {
    switch self {
    case .pixels(let values): return try model.encode(pixels: values, options: .init(raw: true))
    case .tokens(let values): return try model.encode(tokens: values, options: .init(raw: true))
    }
  }
}
