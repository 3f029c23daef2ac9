import CClip

// The messages are made in functions that are never inlined: generic callers stay small.

@inline(never)
private func isNull(_ what: StaticString, _ expected: StaticString) -> ClipError {
  ClipError(CLIP_INVALID_ARGUMENT, "\(what): expected a \(expected), found a null pointer")
}

/// The number of bytes to copy of a struct that says its size and has `size` here.
@inline(never)
private func sharedSize(_ pointer: UnsafeRawPointer?, _ size: Int, _ what: StaticString) throws(ClipError) -> Int {
  guard let pointer else { throw isNull(what, "pointer") }
  let said = Int(pointer.load(as: UInt32.self))
  guard said >= 4, said <= 65536 else {
    throw ClipError(CLIP_INVALID_ARGUMENT, "\(what).struct_size: expected \(size), found \(said)")
  }
  return min(said, size)
}

/// The object behind a handle. The caller keeps its reference for the whole call.
package func object<T: AnyObject>(_ handle: OpaquePointer?, _ type: T.Type, _ what: StaticString) throws(ClipError) -> T {
  guard let handle else { throw isNull(what, "handle") }
  return Unmanaged<T>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
}

/// A handle that owns `object` until `releaseHandle`.
package func handle<T: AnyObject>(owning object: T) -> OpaquePointer {
  OpaquePointer(Unmanaged.passRetained(object).toOpaque())
}

package func releaseHandle<T: AnyObject>(_ handle: OpaquePointer?, _ type: T.Type) {
  if let handle { Unmanaged<T>.fromOpaque(UnsafeRawPointer(handle)).release() }
}

/// A pointer that must not be null.
package func required<Pointer>(_ pointer: Pointer?, _ what: StaticString) throws(ClipError) -> Pointer {
  guard let pointer else { throw isNull(what, "pointer") }
  return pointer
}

package func requirePositive(_ count: Int, _ what: StaticString) throws(ClipError) {
  guard count >= 1 else { throw ClipError(CLIP_INVALID_ARGUMENT, "\(what): expected at least 1, found \(count)") }
}

/// Copies the caller's options: as many bytes as struct_size says, the rest zero, which means the
/// default. An older caller has a shorter struct, a newer one a longer.
package func options<T: BitwiseCopyable>(_ pointer: UnsafePointer<T>?, _ empty: T, _ what: StaticString) throws(ClipError) -> T
{
  guard let pointer else { return empty }
  var copy = empty
  let size = try sharedSize(pointer, MemoryLayout<T>.size, what)
  withUnsafeMutableBytes(of: &copy) { $0.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: size)) }
  return copy
}

/// A struct of the caller's that `fill` can fill, known before the work.
package func requireRoom<T: BitwiseCopyable>(_ pointer: UnsafeMutablePointer<T>?, _ what: StaticString) throws(ClipError) {
  _ = try sharedSize(pointer, MemoryLayout<T>.size, what)
}

/// Fills a struct of the caller's: as many bytes as its struct_size says.
package func fill<T: BitwiseCopyable>(_ pointer: UnsafeMutablePointer<T>?, with value: T, _ what: StaticString)
  throws(ClipError)
{
  let size = try sharedSize(pointer, MemoryLayout<T>.size, what)
  withUnsafeBytes(of: value) { bytes in
    // Not struct_size itself, which is the caller's.
    if let pointer, let source = bytes.baseAddress {
      (UnsafeMutableRawPointer(pointer) + 4).copyMemory(from: source + 4, byteCount: size - 4)
    }
  }
}
