import CClip

/// The object behind a handle. The caller keeps its reference for the whole call.
func object<T: AnyObject>(_ handle: OpaquePointer?, _ type: T.Type, _ what: StaticString) throws(ClipError) -> T {
  guard let handle else { throw ClipError(CLIP_INVALID_ARGUMENT, "\(what): expected a handle, found a null pointer") }
  return Unmanaged<T>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
}

/// A handle that owns `object` until `releaseHandle`.
func handle<T: AnyObject>(owning object: T) -> OpaquePointer {
  OpaquePointer(Unmanaged.passRetained(object).toOpaque())
}

func releaseHandle<T: AnyObject>(_ handle: OpaquePointer?, _ type: T.Type) {
  if let handle { Unmanaged<T>.fromOpaque(UnsafeRawPointer(handle)).release() }
}

/// A pointer that must not be null.
func required<Pointer>(_ pointer: Pointer?, _ what: StaticString) throws(ClipError) -> Pointer {
  guard let pointer else { throw ClipError(CLIP_INVALID_ARGUMENT, "\(what): expected a pointer, found null") }
  return pointer
}

func requirePositive(_ count: Int, _ what: StaticString) throws(ClipError) {
  guard count >= 1 else { throw ClipError(CLIP_INVALID_ARGUMENT, "\(what): expected at least 1, found \(count)") }
}

/// Copies the caller's options: as many bytes as struct_size says, the rest zero, which means the
/// default. An older caller has a shorter struct, a newer one a longer.
func options<T: BitwiseCopyable>(_ pointer: UnsafePointer<T>?, _ empty: T, _ what: StaticString) throws(ClipError) -> T {
  guard let pointer else { return empty }
  let size = Int(UnsafeRawPointer(pointer).load(as: UInt32.self))
  guard size >= 4, size <= 65536 else {
    throw ClipError(
      CLIP_INVALID_ARGUMENT,
      "\(what).struct_size: expected \(MemoryLayout<T>.size), found \(size)")
  }
  var copy = empty
  withUnsafeMutableBytes(of: &copy) { bytes in
    bytes.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: min(size, bytes.count)))
  }
  return copy
}

/// Fills a struct of the caller's: as many bytes as its struct_size says.
func fill<T: BitwiseCopyable>(_ pointer: UnsafeMutablePointer<T>?, with value: T, _ what: StaticString) throws(ClipError) {
  let pointer = try required(pointer, what)
  let size = Int(UnsafeRawPointer(pointer).load(as: UInt32.self))
  guard size >= 4, size <= 65536 else {
    throw ClipError(CLIP_INVALID_ARGUMENT, "\(what).struct_size: expected \(MemoryLayout<T>.size), found \(size)")
  }
  withUnsafeBytes(of: value) { bytes in
    // Not struct_size itself, which is the caller's.
    let count = min(size, bytes.count) - 4
    if count > 0, let source = bytes.baseAddress { (UnsafeMutableRawPointer(pointer) + 4).copyMemory(from: source + 4, byteCount: count) }
  }
}
