import CClip

@c @implementation
public func clip_model_open(
  _ runtime: OpaquePointer?, _ folder: UnsafePointer<CChar>?, _ options: UnsafePointer<clip_model_options>?,
  _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let out = try required(out, "out")
    let runtime = try object(runtime, Runtime.self, "runtime")
    let folder = String(cString: try required(folder, "folder"))
    let model = try Model(
      runtime: runtime, folder: folder, try ClipCore.options(options, clip_model_options(), "options"))
    out.pointee = handle(owning: model)
  }
}

@c @implementation
public func clip_model_close(_ model: OpaquePointer?) { releaseHandle(model, Model.self) }

@c @implementation
public func clip_model_describe(_ model: OpaquePointer?, _ info: UnsafeMutablePointer<clip_model_info>?) -> clip_status {
  reporting { () throws(ClipError) in
    let model = try object(model, Model.self, "model")
    var facts = clip_model_info()
    facts.embedding_width = UInt32(clamping: model.embeddingWidth)
    if let image = model.image {
      facts.towers |= UInt32(CLIP_TOWER_IMAGE)
      facts.image_width = UInt32(clamping: model.preprocess.width)
      facts.image_height = UInt32(clamping: model.preprocess.height)
      facts.image_parameters = UInt64(image.parameterCount)
    }
    if let text = model.text {
      facts.towers |= UInt32(CLIP_TOWER_TEXT)
      facts.context_length = UInt32(clamping: model.contextLength)
      facts.vocabulary_size = UInt32(clamping: model.vocabularySize)
      facts.text_parameters = UInt64(text.parameterCount)
    }
    facts.logit_scale = model.logitScale
    facts.logit_bias = model.logitBias ?? 0
    facts.has_logit_bias = model.logitBias == nil ? 0 : 1
    facts.image_encoder = model.encoderID(0)
    facts.text_encoder = model.encoderID(1)
    facts.layout = model.layout.cString
    facts.storage = model.storage
    try fill(info, with: facts, "info")
  }
}
