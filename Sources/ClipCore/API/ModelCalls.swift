import CClip

@c @implementation
public func clip_model_open(
  _ runtime: OpaquePointer?, _ folder: UnsafePointer<CChar>?, _ options: UnsafePointer<clip_model_options>?,
  _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let out = try required(out, "out")
    let runtime = try object(runtime, Runtime.self, "runtime")
    let folder = path(try required(folder, "folder"))
    let model = try Model(
      runtime: runtime, folder: folder, try ClipCore.options(options, clip_model_options(), "options"))
    out.pointee = handle(owning: OpenModel(model))
  }
}

@c @implementation
public func clip_model_initialize(_ runtime: OpaquePointer?, _ folder: UnsafePointer<CChar>?, _ seed: UInt64)
  -> clip_status
{
  reporting { () throws(ClipError) in
    let runtime = try object(runtime, Runtime.self, "runtime")
    let folder = path(try required(folder, "folder"))
    try InitialWeights(folder: folder, plugins: runtime.plugins).write(seed: seed)
  }
}

@c @implementation
public func clip_model_release(_ model: OpaquePointer?) { releaseHandle(model, OpenModel.self) }

@c @implementation
public func clip_model_describe(_ model: OpaquePointer?, _ info: UnsafeMutablePointer<clip_model_info>?) -> clip_status
{
  reporting { () throws(ClipError) in
    let model = try object(model, OpenModel.self, "model").current
    var facts = clip_model_info()
    facts.embedding_width = UInt32(clamping: model.embeddingWidth)
    facts.towers = model.towers
    if let image = model.image {
      facts.image_width = UInt32(clamping: image.preprocess.width)
      facts.image_height = UInt32(clamping: image.preprocess.height)
      facts.image_parameters = UInt64(image.tower.parameterCount)
    }
    if let text = model.text {
      facts.context_length = UInt32(clamping: text.contextLength)
      facts.vocabulary_size = UInt32(clamping: text.vocabularySize)
      facts.text_parameters = UInt64(text.tower.parameterCount)
    }
    facts.logit_scale = model.logitScale
    facts.logit_bias = model.logitBias ?? 0
    facts.has_logit_bias = model.logitBias == nil ? 0 : 1
    facts.memory_bytes = UInt64(clamping: model.memoryBytes)
    facts.resized_side = UInt32(clamping: model.image?.preprocess.resizedSide ?? 0)
    facts.layout = model.layout.cString
    facts.storage = (model.image?.origin ?? model.text?.origin)?.options.storage ?? CLIP_STORAGE_F32
    try fill(info, with: facts, "info")
  }
}

@c @implementation
public func clip_model_encoder(
  _ model: OpaquePointer?, _ tower: UInt32, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int
) -> Int {
  var id: Name = ""
  if let model {
    let model = Unmanaged<OpenModel>.fromOpaque(UnsafeRawPointer(model)).takeUnretainedValue().current
    switch Int(tower) {
    case CLIP_TOWER_IMAGE: id = model.image?.tower.encoderID ?? ""
    case CLIP_TOWER_TEXT: id = model.text?.tower.encoderID ?? ""
    default: break
    }
  }
  return write(id, to: buffer, capacity)
}

@c @implementation
public func clip_model_swap(
  _ model: OpaquePointer?, _ towers: UInt32, _ folder: UnsafePointer<CChar>?,
  _ options: UnsafePointer<clip_model_options>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let model = try object(model, OpenModel.self, "model")
    var chosen: clip_model_options?
    if options != nil { chosen = try ClipCore.options(options, clip_model_options(), "options") }
    try model.swap(towers, folder.map { path($0) }, chosen)
  }
}
