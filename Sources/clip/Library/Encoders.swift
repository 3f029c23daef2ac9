import CClip

/// A tensor that an encoder wants.
struct WantedTensor {
  let name: String
  let shape: [Int]
  var count: Int { shape.reduce(1, *) }
}

/// What an encoder makes of a configuration.
struct EncoderFacts {
  let info: clip_encoder_info
  let tensors: [WantedTensor]

  var isText: Bool { info.tower == CLIP_TOWER_TEXT }

  /// On one line.
  var text: String {
    let input = isText ? "\(info.context_length) tokens" : "\(info.image_width) x \(info.image_height) pixels"
    return "\(input) to \(info.features) features, \(grouped(info.parameters)) parameters in "
      + "\(counted(tensors.count, "tensor")), \(fixed(Double(info.multiply_adds) / 1e9, 3)) G multiply-adds"
  }
}

/// An encoder and how well it suits a task.
struct RecommendedEncoder {
  let id: String
  let reasons: String
  let facts: clip_recommendation
}

extension Runtime {
  /// `config` is a JSON object; nil for the encoder's own example.
  func describe(encoder id: String, config: String?) throws(Failure) -> EncoderFacts {
    var info = clip_encoder_info()
    info.struct_size = UInt32(MemoryLayout<clip_encoder_info>.size)
    var tensors: [WantedTensor] = []
    let status = withUnsafeMutablePointer(to: &tensors) { list in
      withOptionalCString(config.map { ByteString($0) }) { config in
        clip_encoder_describe(
          handle, id, config, &info,
          { user, name, shape, rank in
            let sides = UnsafeBufferPointer(start: shape, count: rank).map { Int(clamping: $0) }
            user?.assumingMemoryBound(to: [WantedTensor].self).pointee
              .append(WantedTensor(name: string(name), shape: sides))
          }, list)
      }
    }
    try check(status)
    return EncoderFacts(info: info, tensors: tensors)
  }

  /// The best first.
  func recommend(_ task: clip_task, needs: String) throws(Failure) -> [RecommendedEncoder] {
    var task = task
    task.struct_size = UInt32(MemoryLayout<clip_task>.size)
    var list: [RecommendedEncoder] = []
    let status = needs.withCString { needs in
      task.needs = needs
      return withUnsafeMutablePointer(to: &list) { list in
        clip_recommend_encoders(
          handle, &task,
          { user, found in
            guard let found = found?.pointee else { return }
            user?.assumingMemoryBound(to: [RecommendedEncoder].self).pointee
              .append(RecommendedEncoder(id: string(found.id), reasons: string(found.reasons), facts: found))
          }, list)
      }
    }
    try check(status)
    return list
  }
}
