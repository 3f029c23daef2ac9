import CClip
import CSystem

@c @implementation
public func clip_augmentation_describe(
  _ runtime: OpaquePointer?, _ op: UnsafePointer<CChar>?, _ info: UnsafeMutablePointer<clip_augmentation_info>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let runtime = try object(runtime, Runtime.self, "runtime")
    let op = Name(cString: try required(op, "op"))
    let plugins = runtime.plugins
    guard let item = AugmentationTable.find(op, plugins.items) else { throw unknownOperation(op, "op", plugins) }
    let table = AugmentationTable.table(of: item).pointee
    var facts = clip_augmentation_info()
    facts.kind = item.kind
    facts.id = table.id
    facts.op = table.op
    facts.description = table.description
    facts.probability = table.probability == 0 ? 1 : table.probability
    facts.parameters = table.parameters
    facts.parameter_count = table.parameter_count
    try fill(info, with: facts, "info")
  }
}

@c @implementation
public func clip_pipeline_create(
  _ runtime: OpaquePointer?, _ json: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let out = try required(out, "out")
    let runtime = try object(runtime, Runtime.self, "runtime")
    let json = try required(json, "json")
    out.pointee = handle(
      owning: try Pipeline(json: UnsafeRawBufferPointer(start: json, count: strlen(json)), runtime: runtime))
  }
}

@c @implementation
public func clip_pipeline_free(_ pipeline: OpaquePointer?) { releaseHandle(pipeline, Pipeline.self) }

@c @implementation
public func clip_augment_image(
  _ pipeline: OpaquePointer?, _ image: UnsafePointer<clip_image_view>?, _ seed: UInt64, _ index: UInt64,
  _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let out = try required(out, "out")
    let pipeline = try object(pipeline, Pipeline.self, "pipeline")
    try pipeline.require(CLIP_KIND_IMAGE_AUGMENTATION)
    let view = try required(image, "image").pointee
    out.pointee = handle(owning: try pipeline.vary(view, seed: seed, index: index, place: "image"))
  }
}

@c @implementation
public func clip_augment_text(
  _ pipeline: OpaquePointer?, _ text: UnsafePointer<CChar>?, _ seed: UInt64, _ index: UInt64,
  _ out: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let out = try required(out, "out")
    let pipeline = try object(pipeline, Pipeline.self, "pipeline")
    try pipeline.require(CLIP_KIND_TEXT_AUGMENTATION)
    let given = try required(text, "text")
    let text = TextBuffer()
    try text.append(UnsafeRawBufferPointer(start: given, count: strlen(given)))
    if let problem = text.problem { throw ClipError(CLIP_INVALID_ARGUMENT, "text: \(problem)") }
    out.pointee = try pipeline.vary(text, seed: seed, index: index).release()
  }
}

@c @implementation
public func clip_pipeline_failures(_ pipeline: OpaquePointer?) -> UInt64 {
  guard let pipeline else { return 0 }
  return Unmanaged<Pipeline>.fromOpaque(UnsafeRawPointer(pipeline)).takeUnretainedValue().failures.value
}

@c @implementation
public func clip_text_free(_ text: UnsafeMutablePointer<CChar>?) { free(text) }
