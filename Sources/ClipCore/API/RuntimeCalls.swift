import CClip

@c @implementation
public func clip_runtime_create(
  _ options: UnsafePointer<clip_runtime_options>?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let out = try required(out, "out")
    let runtime = try Runtime(try ClipCore.options(options, clip_runtime_options(), "options"))
    out.pointee = handle(owning: runtime)
  }
}

@c @implementation
public func clip_runtime_release(_ runtime: OpaquePointer?) { releaseHandle(runtime, Runtime.self) }
