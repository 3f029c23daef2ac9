import CClip
import CFFI
import CSystem
import ClipFFI

/// A C function made at run time, which calls `target` with a pointer before its own arguments. Immutable; the function
/// may be called on any thread until this is freed.
final class Closure {
  let function: clip_function
  private let memory: UnsafeMutableRawPointer
  private let call: UnsafeMutablePointer<ClosureCall>

  /// `signature` is the signature of the new function: "int(pointer,size_t)".
  convenience init(
    signature: Name, callback: clip_function, user: UnsafeMutableRawPointer?
  ) throws(ClipError) {
    let (result, arguments) = try Closure.parse(signature)
    let library = try LibFFI()
    let outer = try ForeignSignature(library, result: result, arguments: arguments)
    let inner = try ForeignSignature(library, result: result, arguments: [.pointer] + arguments)
    var code: UnsafeMutableRawPointer?
    guard let memory = library.closureAllocate(MemoryLayout<ffi_closure>.size, &code), let code else {
      throw ClipError(CLIP_OUT_OF_MEMORY, "closure: the system gives no memory for code")
    }
    let call = UnsafeMutablePointer<ClosureCall>.allocate(capacity: 1)
    call.initialize(
      to: ClosureCall(
        outer: outer, inner: inner, callback: unsafeBitCast(callback, to: UnsafeMutableRawPointer.self), user: user))
    self.init(unsafeBitCast(code, to: clip_function.self), memory, call)
    let status = library.closurePrepare(
      memory.assumingMemoryBound(to: ffi_closure.self), outer.description, { runClosure($1, $2, $3) }, call, code)
    guard status == FFI_OK else { throw ClipError(CLIP_UNSUPPORTED, "closure: libffi refuses the signature") }
  }

  private init(
    _ function: @escaping clip_function, _ memory: UnsafeMutableRawPointer, _ call: UnsafeMutablePointer<ClosureCall>
  ) {
    self.function = function
    self.memory = memory
    self.call = call
  }

  deinit {
    call.pointee.outer.library.closureFree(memory)
    call.deinitialize(count: 1)
    call.deallocate()
  }

  /// Parses "result(type,type)". The names of types are those of ForeignType.
  private static func parse(_ signature: Name) throws(ClipError) -> (ForeignType, [ForeignType]) {
    func wrong(_ what: String) -> ClipError {
      ClipError(
        CLIP_INVALID_ARGUMENT,
        "signature: expected such as \"int(pointer,size_t)\" of \(ForeignType.list); found \(what) in \"\(signature.string)\""
      )
    }
    let bytes = signature.utf8.filter { $0 != UInt8(ascii: " ") }
    guard let open = bytes.firstIndex(of: UInt8(ascii: "(")), bytes.last == UInt8(ascii: ")"), open < bytes.count - 1
    else {
      throw wrong("no parentheses")
    }
    guard let result = ForeignType(Name(utf8: Array(bytes[..<open]))) else { throw wrong("an unknown result") }
    let inside = bytes[(open + 1)..<(bytes.count - 1)]
    var arguments: [ForeignType] = []
    if inside.isEmpty || inside.elementsEqual(Name("void").utf8) { return (result, arguments) }
    for word in inside.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      guard let type = ForeignType(Name(utf8: Array(word))), type != .void else {
        throw wrong("the argument \"\(String(decoding: word, as: UTF8.self))\"")
      }
      arguments.append(type)
    }
    guard arguments.count < ForeignSignature.maxArguments else { throw wrong("\(arguments.count) arguments") }
    return (result, arguments)
  }
}

/// The target of a closure, at the address that libffi passes to it.
private struct ClosureCall {
  let outer: ForeignSignature
  let inner: ForeignSignature
  let callback: UnsafeMutableRawPointer
  let user: UnsafeMutableRawPointer?
}

private func runClosure(
  _ result: UnsafeMutableRawPointer?, _ arguments: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
  _ context: UnsafeMutableRawPointer?
) {
  guard let context else { return }
  let call = context.assumingMemoryBound(to: ClosureCall.self)
  let inner = call.pointee.inner
  var user = call.pointee.user
  withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: ForeignSignature.maxArguments) { places in
    withUnsafeMutablePointer(to: &user) { user in
      places[0] = UnsafeMutableRawPointer(user)
      for index in 1..<inner.arguments.count { places[index] = arguments?[index - 1] }
      inner.library.call(inner.description, call.pointee.callback, result, places.baseAddress)
    }
  }
}
