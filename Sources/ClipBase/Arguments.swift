import CClip
import CSystem

// Messages are built in functions that are never inlined, which keeps generic callers small.

@inline(never)
private func isNull(_ what: StaticString, _ expected: StaticString) -> ClipError {
  ClipError(CLIP_INVALID_ARGUMENT, "\(what): expected a \(expected), found a null pointer")
}

/// Throws unless bytes `size` up to struct_size of a caller's struct are zero.
@inline(never)
private func requireZeros(_ pointer: UnsafeRawPointer, after size: Int, _ what: StaticString) throws(ClipError) {
  let said = Int(pointer.load(as: UInt32.self))
  guard said > size else { return }
  for offset in size..<said where pointer.load(fromByteOffset: offset, as: UInt8.self) != 0 {
    throw ClipError(
      CLIP_INVALID_ARGUMENT,
      "\(what): a newer field, at byte \(offset), is set; this library knows the first \(size) bytes")
  }
}

/// The number of bytes to copy of a caller's struct: its struct_size, at most `size`.
@inline(never)
private func sharedSize(_ pointer: UnsafeRawPointer?, _ size: Int, _ what: StaticString) throws(ClipError) -> Int {
  guard let pointer else { throw isNull(what, "pointer") }
  let said = Int(pointer.load(as: UInt32.self))
  guard said >= 4, said <= 65536 else {
    throw ClipError(CLIP_INVALID_ARGUMENT, "\(what).struct_size: expected \(size), found \(said)")
  }
  return min(said, size)
}

/// Runs `body`, and turns what it throws into a status and a message for clip_last_error on this thread. `report` is
/// clip_set_last_error, which only the libraries can name.
package func runCall(
  _ report: (clip_status, UnsafePointer<CChar>?) -> clip_status, _ body: () throws(ClipError) -> Void
) -> clip_status {
  let thread = csystem_enter()
  defer { csystem_leave(thread) }
  do throws(ClipError) {
    try requireMemory("a call")
    try body()
    return CLIP_OK
  } catch let error {
    return error.message.withCString { report(error.status, $0) }
  }
}

/// The object behind a handle. The caller keeps its reference for the whole call.
package func object<T: AnyObject>(_ handle: OpaquePointer?, _ type: T.Type, _ what: StaticString) throws(ClipError) -> T
{
  guard let handle else { throw isNull(what, "handle") }
  return Unmanaged<T>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
}

/// A handle that owns `object` until `releaseHandle`.
package func handle<T: AnyObject>(owning object: T) -> OpaquePointer {
  OpaquePointer(Unmanaged.passRetained(object).toOpaque())
}

package func releaseHandle<T: AnyObject>(_ handle: OpaquePointer?, _ type: T.Type) {
  let thread = csystem_enter()
  defer { csystem_leave(thread) }
  if let handle { Unmanaged<T>.fromOpaque(UnsafeRawPointer(handle)).release() }
}

/// A pointer that must not be null.
package func required<Pointer>(_ pointer: Pointer?, _ what: StaticString) throws(ClipError) -> Pointer {
  guard let pointer else { throw isNull(what, "pointer") }
  return pointer
}

/// Throws for flags that are not in `known`; `family` is their prefix.
package func requireFlags(_ flags: UInt32, _ known: Int, _ family: StaticString, _ what: StaticString = "options.flags")
  throws(ClipError)
{
  guard Int(flags) & ~known == 0 else {
    throw ClipError(CLIP_INVALID_ARGUMENT, "\(what): expected \(family)* bits, found \(flags)")
  }
}

/// An output buffer of the caller's that must hold `count` elements for each of `n` items.
package func buffer<T>(
  _ pointer: UnsafeMutablePointer<T>?, _ capacity: Int, for n: Int, of count: Int, _ what: StaticString
) throws(ClipError) -> UnsafeMutablePointer<T> {
  guard let pointer else { throw isNull(what, "pointer") }
  try requireCapacity(capacity, try product(n, count, what), what)
  return pointer
}

@inline(never)
package func requireCapacity(_ capacity: Int, _ needed: Int, _ what: StaticString) throws(ClipError) {
  guard UInt(bitPattern: capacity) >= UInt(bitPattern: needed) else {
    throw ClipError(
      CLIP_INVALID_ARGUMENT,
      "\(what): expected room for \(needed) elements, found a capacity of \(UInt(bitPattern: capacity))")
  }
}

/// Writes a text to the caller's buffer as snprintf does, and returns its whole length.
package func write(_ text: Name, to buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int) -> Int {
  let bytes = text.utf8
  if let buffer, capacity != 0 {
    let count = Int(min(UInt(bitPattern: capacity) - 1, UInt(bytes.count)))
    for index in 0..<count { buffer[index] = CChar(bitPattern: bytes[index]) }
    buffer[count] = 0
  }
  return bytes.count
}

package func requirePositive(_ count: Int, _ what: StaticString) throws(ClipError) {
  guard count >= 1 else { throw ClipError(CLIP_INVALID_ARGUMENT, "\(what): expected at least 1, found \(count)") }
}

/// Copies the caller's options; NULL gives all defaults. Fields that an older caller lacks are zero, the default.
/// Unknown fields of a newer caller must be zero.
package func options<T: BitwiseCopyable>(_ pointer: UnsafePointer<T>?, _ empty: T, _ what: StaticString)
  throws(ClipError) -> T
{
  guard let pointer else { return empty }
  var copy = empty
  let size = try sharedSize(pointer, MemoryLayout<T>.size, what)
  try requireZeros(pointer, after: MemoryLayout<T>.size, what)
  withUnsafeMutableBytes(of: &copy) { $0.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: size)) }
  return copy
}

/// Throws unless `fill` can fill the caller's struct. Called before the work.
package func requireRoom<T: BitwiseCopyable>(_ pointer: UnsafeMutablePointer<T>?, _ what: StaticString)
  throws(ClipError)
{
  _ = try sharedSize(pointer, MemoryLayout<T>.size, what)
}

/// Fills a caller's struct: as many bytes as its struct_size covers.
package func fill<T: BitwiseCopyable>(_ pointer: UnsafeMutablePointer<T>?, with value: T, _ what: StaticString)
  throws(ClipError)
{
  let size = try sharedSize(pointer, MemoryLayout<T>.size, what)
  withUnsafeBytes(of: value) { bytes in
    // struct_size belongs to the caller.
    if let pointer, let source = bytes.baseAddress {
      (UnsafeMutableRawPointer(pointer) + 4).copyMemory(from: source + 4, byteCount: size - 4)
    }
  }
}
