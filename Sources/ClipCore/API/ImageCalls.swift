import CClip

@c @implementation
public func clip_image_load(
  _ runtime: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<clip_image_options>?,
  _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let out = try required(out, "out")
    let runtime = try object(runtime, Runtime.self, "runtime")
    let file = try MappedFile(path: ClipBase.path(try required(path, "path")))
    defer { withExtendedLifetime(file) {} }
    out.pointee = handle(owning: try decode(file.bytes, runtime, options, file.path))
  }
}

@c @implementation
public func clip_image_decode(
  _ runtime: OpaquePointer?, _ data: UnsafeRawPointer?, _ size: Int, _ options: UnsafePointer<clip_image_options>?,
  _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let out = try required(out, "out")
    let runtime = try object(runtime, Runtime.self, "runtime")
    let data = try required(data, "data")
    try requirePositive(size, "size")
    out.pointee = handle(
      owning: try decode(UnsafeRawBufferPointer(start: data, count: size), runtime, options, "image"))
  }
}

@c @implementation
public func clip_image_endings(_ runtime: OpaquePointer?, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int)
  -> Int
{
  var endings: Name = ""
  if let runtime {
    endings = Unmanaged<Runtime>.fromOpaque(UnsafeRawPointer(runtime)).takeUnretainedValue().imageEndings
  }
  return write(endings, to: buffer, capacity)
}

private func decode(
  _ bytes: UnsafeRawBufferPointer, _ runtime: Runtime, _ given: UnsafePointer<clip_image_options>?, _ place: String
) throws(ClipError) -> DecodedImage {
  try DecodedImage(
    data: bytes, codecs: try runtime.codecs(for: bytes), maxPixels: runtime.maxImagePixels,
    isTrusted: runtime.trustsImages, place: place,
    try options(given, clip_image_options(), "options"))
}

@c @implementation
public func clip_image_get_view(_ image: OpaquePointer?, _ view: UnsafeMutablePointer<clip_image_view>?) -> clip_status
{
  reporting { () throws(ClipError) in
    let image = try object(image, DecodedImage.self, "image")
    try required(view, "view").pointee = image.view
  }
}

@c @implementation
public func clip_image_release(_ image: OpaquePointer?) { releaseHandle(image, DecodedImage.self) }
