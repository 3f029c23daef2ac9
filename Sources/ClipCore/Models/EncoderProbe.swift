import CClip
import CSystem

/// An encoder without weights: its graph, its cost, and its time on this machine.
struct EncoderProbe {
  let plan: TowerPlan
  let tower: Int
  /// Multiply-adds for one item; a text has the full context length. Counted in the graph before rewrites.
  private(set) var multiplyAdds = 0

  /// `config` nil: the encoder's own example.
  init(_ id: Name, config: String?, runtime: Runtime) throws(ClipError) {
    guard let item = runtime.plugins.find(CLIP_KIND_ENCODER, id) else {
      throw ClipError(
        CLIP_NOT_FOUND,
        "encoder: expected the plugin " + id.string + ", found " + runtime.plugins.ids(CLIP_KIND_ENCODER))
    }
    tower = Int(item.table.assumingMemoryBound(to: clip_encoder.self).pointee.tower)
    let text = config ?? EncoderTable(item.table).example.map { String(cString: $0) } ?? "{}"
    let utf8 = Array(text.utf8)
    var parsed: Result<JSON, ClipError> = .success(.null)
    utf8.withUnsafeBytes { bytes in
      do throws(ClipError) {
        parsed = .success(try JSON.parse(bytes, place: "config"))
      } catch {
        parsed = .failure(error)
      }
    }
    let json = try parsed.get()
    guard json.object != nil else { throw ClipError(CLIP_FORMAT, "config: expected an object, found \(json.kind)") }
    plan = try TowerPlan(TowerDescription(encoder: id, config: json, scope: ""), tower: tower, plugins: runtime.plugins)
    multiplyAdds = countMultiplyAdds()
  }

  private func countMultiplyAdds() -> Int {
    var total = 0
    for node in plan.graph.nodes {
      let rows = rows(node.shape)
      if let attention = node as? Attention {
        let keys = self.rows(plan.graph.nodes[attention.inputs[1]].shape)
        total = total &+ 2 &* rows &* keys &* node.shape.width
      } else if !(node is Embedding || node is Positions || node is RowParameter) {
        for parameter in node.parameters where parameter.shape.count >= 2 { total = total &+ rows &* parameter.count }
      }
    }
    return total
  }

  private func rows(_ shape: Shape) -> Int {
    switch shape.rows {
    case .one: 1
    case .fixed(let count): count
    case .tokens: plan.tokens?.contextLength ?? 1
    }
  }

  /// Milliseconds for one item on the runtime's threads: the best of three runs after a warm-up.
  func milliseconds(_ runtime: Runtime) throws(ClipError) -> Double {
    let zeros = try StoredTensors(zeros: plan.parameters)
    let loader = ParameterLoader(
      source: ParameterSource(zeros, TensorNames(isDirect: true)), kernels: runtime.kernels, threads: runtime.threads,
      storage: CLIP_STORAGE_F32)
    let program = try Program(plan.graph, loader: loader, kernels: runtime.kernels)
    let features = try Memory(floats: plan.width, for: "features")
    let input = try Memory(floats: inputNumbers, for: "an input")
    memset(input.base, 0, input.byteCount)
    let tokens = input.base.assumingMemoryBound(to: Int32.self)
    if let text = plan.tokens { fill(tokens, text) }
    var best = 0.0
    for round in 0..<4 {
      let start = csystem_seconds()
      if plan.pixels != nil {
        try program.run(pixels: input.floats, items: 1, threads: runtime.threads, into: features.floats)
      } else {
        try program.run(tokens: tokens, items: 1, firstIndex: 0, threads: runtime.threads, into: features.floats)
      }
      let taken = (csystem_seconds() - start) * 1000
      if round == 1 || round > 1 && taken < best { best = taken }
    }
    return best
  }

  /// A text of the full context length.
  private func fill(_ tokens: UnsafeMutablePointer<Int32>, _ text: TokenInput) {
    let word: Int32 = text.endToken == 0 && text.vocabulary > 1 ? 1 : 0
    for position in 0..<text.contextLength { tokens[position] = word }
    switch text.rule {
    case CLIP_END_LARGEST_ID: tokens[text.contextLength - 1] = Int32(clamping: text.vocabulary - 1)
    case CLIP_END_TOKEN_ID: tokens[text.contextLength - 1] = text.endToken
    default: break
    }
  }

  private var inputNumbers: Int {
    if let pixels = plan.pixels { return 3 * pixels.height * pixels.width }
    return plan.tokens?.contextLength ?? 1
  }

  var facts: clip_encoder_info {
    var info = clip_encoder_info()
    info.tower = UInt32(tower)
    info.features = UInt32(clamping: plan.width)
    info.image_width = UInt32(clamping: plan.pixels?.width ?? 0)
    info.image_height = UInt32(clamping: plan.pixels?.height ?? 0)
    info.context_length = UInt32(clamping: plan.tokens?.contextLength ?? 0)
    info.vocabulary_size = UInt32(clamping: plan.tokens?.vocabulary ?? 0)
    info.end_rule = plan.tokens?.rule.rawValue ?? 0
    info.end_token = plan.tokens?.endToken ?? 0
    info.parameters = UInt64(clamping: plan.parameterCount)
    info.multiply_adds = UInt64(clamping: multiplyAdds)
    return info
  }
}
