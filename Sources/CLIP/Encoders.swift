import CClip

/// A tensor that an encoder needs.
public struct EncoderTensor: Hashable, Sendable {
  public let name: String
  public let shape: [Int]
  /// The number of its elements.
  public var count: Int { shape.reduce(1, *) }
}

/// What an encoder builds from a configuration.
public struct EncoderInfo: Hashable, Sendable {
  /// `.image` or `.text`.
  public let tower: Towers
  /// Elements of its output for one item.
  public let features: Int
  /// Pixels; 0 for a text encoder.
  public let imageWidth: Int
  public let imageHeight: Int
  /// Tokens; 0 for an image encoder.
  public let contextLength: Int
  public let vocabularySize: Int
  /// Where a text ends: a `clip_end_rule` of clip_plugin.h.
  public let endRule: UInt32
  /// The token of end rules that have one.
  public let endToken: Int32
  /// Elements of its weights.
  public let parameters: Int
  /// For one image, or for a text of `contextLength` tokens.
  public let multiplyAdds: Int
  /// By the names that the encoder has for them.
  public let tensors: [EncoderTensor]
}

/// An encoder, and how well it suits a task.
public struct Recommendation: Hashable, Sendable {
  public let id: String
  /// 0 to 1: how well the needs are met.
  public let score: Float
  /// One need after the other: "local-detail 3 of 3, declared; …"
  public let reasons: String
  public let parameters: Int
  public let multiplyAdds: Int
  /// For one item; nil if it was not measured.
  public let milliseconds: Double?
}

extension Runtime {
  /// Builds an encoder without weights.
  ///
  /// - Parameter config: A JSON object; nil: the example of the encoder.
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

  /// Ranks the loaded encoders of a tower for a task, the best first. One that cannot be built or goes over a limit is
  /// left out.
  ///
  /// - Parameters:
  ///   - needs: Needs with their weights above 0, such as "local-detail:3,low-latency". Encoders declare local-detail,
  ///     global-context, texture, multi-scale and small-data; low-latency and few-parameters are computed.
  ///   - tower: `.image` or `.text`.
  ///   - maxParameters: nil: no limit.
  ///   - maxMilliseconds: For one item, with `measure`; nil: no limit.
  ///   - measure: Runs each encoder on this machine: seconds each.
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
