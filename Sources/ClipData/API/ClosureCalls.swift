import CClip

@c @implementation
public func clip_closure_create(
  _ signature: UnsafePointer<CChar>?, _ callback: clip_function?, _ user: UnsafeMutableRawPointer?,
  _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let out = try required(out, "out")
    let signature = Name(cString: try required(signature, "signature"))
    guard let callback else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "callback: expected a function, found a null pointer")
    }
    out.pointee = handle(owning: try Closure(signature: signature, callback: callback, user: user))
  }
}

@c @implementation
public func clip_closure_function(_ closure: OpaquePointer?) -> clip_function? {
  guard let closure else { return nil }
  return Unmanaged<Closure>.fromOpaque(UnsafeRawPointer(closure)).takeUnretainedValue().function
}

@c @implementation
public func clip_closure_release(_ closure: OpaquePointer?) { releaseHandle(closure, Closure.self) }
