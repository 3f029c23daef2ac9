import CClip

@c @implementation
public func clip_version() -> UnsafePointer<CChar>? { StaticString("0.1.0").cString }

@c @implementation
public func clip_abi_version() -> UInt32 { 2 << 16 }

@c @implementation
public func clip_status_name(_ status: clip_status) -> UnsafePointer<CChar>? {
  let name: StaticString =
    switch status {
    case CLIP_OK: "CLIP_OK"
    case CLIP_INVALID_ARGUMENT: "CLIP_INVALID_ARGUMENT"
    case CLIP_NOT_FOUND: "CLIP_NOT_FOUND"
    case CLIP_IO: "CLIP_IO"
    case CLIP_FORMAT: "CLIP_FORMAT"
    case CLIP_UNSUPPORTED: "CLIP_UNSUPPORTED"
    case CLIP_MISMATCH: "CLIP_MISMATCH"
    case CLIP_LIMIT: "CLIP_LIMIT"
    case CLIP_OUT_OF_MEMORY: "CLIP_OUT_OF_MEMORY"
    case CLIP_PLUGIN: "CLIP_PLUGIN"
    case CLIP_NOT_FINITE: "CLIP_NOT_FINITE"
    case CLIP_CANCELLED: "CLIP_CANCELLED"
    default: "unknown status"
    }
  return name.cString
}
