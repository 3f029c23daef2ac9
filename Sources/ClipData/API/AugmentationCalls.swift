import CClip
import CSystem

@c @implementation
public func clip_augmentations_visit(
  _ runtime: OpaquePointer?, _ op: UnsafePointer<CChar>?, _ visit: clip_augmentation_fn?,
  _ user: UnsafeMutableRawPointer?
) -> clip_status {
  reporting { () throws(ClipError) in
    let runtime = try Runtime(runtime)
    let visit = try required(visit, "visit")
    var found: [LoadedAugmentation] = []
    if let op {
      found.append(try LoadedAugmentation.find(Name(cString: op), "op", runtime))
    } else {
      found = try LoadedAugmentation.all(runtime)
    }
    for loaded in found {
      let table = loaded.table.pointee
      var facts = clip_augmentation_info()
      facts.struct_size = UInt32(MemoryLayout<clip_augmentation_info>.size)
      facts.kind = loaded.kind
      facts.id = table.id
      facts.op = table.op
      facts.description = table.description
      facts.probability = loaded.probability
      facts.settings = table.settings
      facts.setting_count = table.setting_count
      if visit(user, &facts) != 0 { return }
    }
  }
}

@c @implementation
public func clip_pipeline_create(
  _ runtime: OpaquePointer?, _ json: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let out = try required(out, "out")
    let runtime = try Runtime(runtime)
    let json = try required(json, "json")
    out.pointee = handle(
      owning: try Pipeline(json: UnsafeRawBufferPointer(start: json, count: strlen(json)), runtime: runtime))
  }
}

@c @implementation
public func clip_pipeline_release(_ pipeline: OpaquePointer?) { releaseHandle(pipeline, Pipeline.self) }

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
    out.pointee = try pipeline.augment(view, seed: seed, index: index, place: "image").release()
  }
}

@c @implementation
public func clip_augment_text(
  _ pipeline: OpaquePointer?, _ text: UnsafePointer<CChar>?, _ seed: UInt64, _ index: UInt64,
  _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ length: UnsafeMutablePointer<Int>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let length = try required(length, "length")
    let pipeline = try object(pipeline, Pipeline.self, "pipeline")
    try pipeline.require(CLIP_KIND_TEXT_AUGMENTATION)
    let given = try required(text, "text")
    let text = TextBuffer()
    try text.append(UnsafeRawBufferPointer(start: given, count: strlen(given)))
    if let problem = text.problem { throw ClipError(CLIP_INVALID_ARGUMENT, "text: \(problem)") }
    let augmented = try pipeline.augment(text, seed: seed, index: index)
    length.pointee = augmented.count
    guard let buffer, UInt(bitPattern: capacity) > UInt(augmented.count) else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "capacity: expected at least \(augmented.count + 1) bytes, found \(buffer == nil ? 0 : UInt(bitPattern: capacity))"
      )
    }
    augmented.withCharacters { _ = memcpy(buffer, $0, augmented.count + 1) }
  }
}

@c @implementation
public func clip_pipeline_failures(_ pipeline: OpaquePointer?) -> UInt64 {
  guard let pipeline else { return 0 }
  return Unmanaged<Pipeline>.fromOpaque(UnsafeRawPointer(pipeline)).takeUnretainedValue().failures.value
}
