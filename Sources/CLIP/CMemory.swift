package import CClip

/// C copies of Swift values, valid during the closure of `withCMemory`.
package final class CMemory {
  private var blocks: [UnsafeMutableRawPointer] = []
  private var objects: [AnyObject] = []

  fileprivate init() {}

  fileprivate func free() { for block in blocks { block.deallocate() } }

  /// The values as an array; NULL if there are none.
  package func array<Value: BitwiseCopyable>(_ values: [Value]) -> UnsafePointer<Value>? {
    guard !values.isEmpty else { return nil }
    let copy = UnsafeMutablePointer<Value>.allocate(capacity: values.count)
    copy.initialize(from: values, count: values.count)
    blocks.append(copy)
    return UnsafePointer(copy)
  }

  /// A C callback that calls `handler`; an empty one for nil.
  package func progress(_ handler: ProgressHandler?) -> clip_progress {
    guard let handler else { return clip_progress() }
    let box = Box<ProgressHandler>(handler)
    objects.append(box)
    return clip_progress(
      fn: { user, done, total in
        guard let box = Box<ProgressHandler>.at(user) else { return 0 }
        return box.value(Int(clamping: done), Int(clamping: total)) ? 0 : 1
      }, user: box.pointer)
  }

  /// The text as a C string; NULL for nil. Throws `invalidArgument` for a text with a NUL, which C would truncate
  /// there.
  package func string(_ text: String?, _ name: String) throws(CLIPError) -> UnsafePointer<CChar>? {
    guard let text else { return nil }
    return try bytes(text.utf8, name)
  }

  /// The bytes of a text or path as a C string. Throws as `string` does.
  package func bytes(_ text: some Collection<UInt8>, _ name: String) throws(CLIPError) -> UnsafePointer<CChar>? {
    var bytes: [CChar] = []
    bytes.reserveCapacity(text.count + 1)
    for byte in text { bytes.append(CChar(bitPattern: byte)) }
    guard !bytes.contains(0) else {
      throw CLIPError(.invalidArgument, "\(name): expected text without a NUL character, found one")
    }
    bytes.append(0)
    return array(bytes)
  }

  /// A list of C strings; NULL if it is empty.
  package func strings(
    _ texts: [String], _ name: String
  ) throws(CLIPError) -> UnsafePointer<UnsafePointer<CChar>?>? {
    var pointers: [UnsafePointer<CChar>?] = []
    pointers.reserveCapacity(texts.count)
    for (index, text) in texts.enumerated() { pointers.append(try string(text, "\(name)[\(index)]")) }
    return array(pointers)
  }
}

/// Calls `body` with memory for the targets of pointers in C structs.
package func withCMemory<Result>(
  _ body: (CMemory) throws(CLIPError) -> Result
) throws(CLIPError) -> Result {
  let memory = CMemory()
  defer { memory.free() }
  return try body(memory)
}

/// A C struct with its `struct_size` set.
package func sized<Struct>(_ value: Struct, _ size: WritableKeyPath<Struct, UInt32>) -> Struct {
  var value = value
  value[keyPath: size] = UInt32(MemoryLayout<Struct>.size)
  return value
}

/// A C string; "" for NULL.
package func string(_ pointer: UnsafePointer<CChar>?) -> String {
  pointer.map { String(cString: $0) } ?? ""
}

/// The bytes of a C string, which need not be UTF-8.
package func bytes(_ pointer: UnsafePointer<CChar>) -> [UInt8] {
  var count = 0
  while pointer[count] != 0 { count += 1 }
  return Array(UnsafeRawBufferPointer(start: pointer, count: count))
}

/// A text written by a C function, which returns its full length.
package func string(_ write: (UnsafeMutablePointer<CChar>?, Int) -> Int) -> String {
  var bytes = [CChar](repeating: 0, count: 256)
  let length = write(&bytes, bytes.count)
  if length >= bytes.count {
    bytes = [CChar](repeating: 0, count: length + 1)
    _ = write(&bytes, bytes.count)
  }
  return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// `value` as a C number. Throws `invalidArgument` if it does not fit.
package func number<Number: FixedWidthInteger>(_ value: Int, _ name: String) throws(CLIPError) -> Number {
  guard let number = Number(exactly: value) else {
    throw CLIPError(.invalidArgument, "\(name): expected \(Number.min) to \(Number.max), found \(value)")
  }
  return number
}

/// An object behind the `void *` of a callback.
package final class Box<Value> {
  package var value: Value

  package init(_ value: Value) { self.value = value }

  package var pointer: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

  package static func at(_ pointer: UnsafeMutableRawPointer?) -> Box? {
    pointer.map { Unmanaged<Box>.fromOpaque($0).takeUnretainedValue() }
  }
}

/// An array of `count` elements that a C function fills.
package func filled<Element: BitwiseCopyable & ExpressibleByIntegerLiteral>(
  _ count: Int, _ fill: (UnsafeMutablePointer<Element>?, Int) throws(CLIPError) -> Void
) throws(CLIPError) -> [Element] {
  var failure: CLIPError?
  let values = [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
    buffer.initialize(repeating: 0)
    do throws(CLIPError) {
      try fill(buffer.baseAddress, count)
      initialized = count
    } catch {
      failure = error
    }
  }
  if let failure { throw failure }
  return values
}
