import CClip

/// A parameter tensor of an encoder.
public struct EncoderTensor: Hashable, Sendable {
  public let name: String
  public let shape: [Int]
  /// The number of elements.
  public var count: Int { shape.reduce(1, *) }
}

/// An encoder's graph for a configuration.
public struct EncoderInfo: Hashable, Sendable {
  /// `.image` or `.text`.
  public let tower: Towers
  /// Elements of the output for one item.
  public let features: Int
  /// In pixels; 0 for a text encoder.
  public let imageWidth: Int
  public let imageHeight: Int
  /// In tokens; 0 for an image encoder.
  public let contextLength: Int
  public let vocabularySize: Int
  /// How the end of a text is found: a `clip_end_rule` of clip_plugin.h.
  public let endRule: UInt32
  /// The token of end rules that use one.
  public let endToken: Int32
  /// Elements of all parameters.
  public let parameters: Int
  /// For one image, or one text of `contextLength` tokens.
  public let multiplyAdds: Int
  /// By the encoder's own names.
  public let tensors: [EncoderTensor]
}

/// An encoder, and how well it suits a task.
public struct Recommendation: Hashable, Sendable {
  public let id: String
  /// How well the needs are met, 0 to 1.
  public let score: Float
  /// A reason for each need: "local-detail 3 of 3, declared; …"
  public let reasons: String
  public let parameters: Int
  public let multiplyAdds: Int
  /// The time for one item; nil if not measured.
  public let milliseconds: Double?
}

extension Runtime {
  /// Builds an encoder without weights.
  ///
  /// - Parameter config: A JSON object; nil: the encoder's example.
  public func describeEncoder(_ id: String, config: String? = nil) throws(CLIPError) -> EncoderInfo {
    var info = sized(clip_encoder_info(), \.struct_size)
    let tensors = Box<[EncoderTensor]>([])
    try withCMemory { memory throws(CLIPError) in
      let (id, config) = (try memory.string(id, "id"), try memory.string(config, "config"))
      let status = clip_encoder_describe(
        handle, id, config, &info,
        { user, name, shape, rank in
          let shape = UnsafeBufferPointer(start: shape, count: rank).map { Int(clamping: $0) }
          Box<[EncoderTensor]>.at(user)?.value.append(EncoderTensor(name: string(name), shape: shape))
          return 0
        }, tensors.pointer)
      try check(status)
    }
    return EncoderInfo(
      tower: Towers(rawValue: info.tower), features: Int(info.features), imageWidth: Int(info.image_width),
      imageHeight: Int(info.image_height), contextLength: Int(info.context_length),
      vocabularySize: Int(info.vocabulary_size), endRule: info.end_rule, endToken: info.end_token,
      parameters: Int(clamping: info.parameters), multiplyAdds: Int(clamping: info.multiply_adds),
      tensors: tensors.value)
  }

  /// Ranks the loaded encoders of a tower for a task, best first. Encoders that cannot be built or exceed a limit are
  /// left out.
  ///
  /// - Parameters:
  ///   - needs: Needs with weights above 0, such as "local-detail:3,low-latency". Encoders declare local-detail,
  ///     global-context, texture, multi-scale and small-data; low-latency and few-parameters are computed.
  ///   - tower: `.image` or `.text`.
  ///   - maxParameters: nil: no limit.
  ///   - maxMilliseconds: The time for one item, which requires `measure`; nil: no limit.
  ///   - measure: Runs each encoder on this machine, for seconds each.
  public func recommendEncoders(
    needs: String, tower: Towers = .image, maxParameters: Int? = nil, maxMilliseconds: Double? = nil,
    measure: Bool = false
  ) throws(CLIPError) -> [Recommendation] {
    let list = Box<[Recommendation]>([])
    try withCMemory { memory throws(CLIPError) in
      var options = sized(clip_recommend_options(), \.struct_size)
      options.tower = tower.rawValue
      options.needs = try memory.string(needs, "needs")
      options.max_parameters = try number(maxParameters ?? 0, "maxParameters")
      options.max_milliseconds = maxMilliseconds ?? 0
      options.flags = measure ? UInt32(CLIP_RECOMMEND_MEASURE) : 0
      let status = clip_recommend_encoders(
        handle, &options,
        { user, found in
          guard let found = found?.pointee else { return 0 }
          Box<[Recommendation]>.at(user)?.value.append(
            Recommendation(
              id: string(found.id), score: found.score, reasons: string(found.reasons),
              parameters: Int(clamping: found.parameters), multiplyAdds: Int(clamping: found.multiply_adds),
              milliseconds: found.milliseconds > 0 ? found.milliseconds : nil))
          return 0
        }, list.pointer)
      try check(status)
    }
    return list.value
  }
}
