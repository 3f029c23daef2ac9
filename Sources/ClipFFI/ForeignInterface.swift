import CClip
import CFFI
import CSystem
import ClipBase

/// libffi, loaded on first use, so that a process that only embeds images and texts never loads it.
package final class LibFFI {
  package let prepare: clip_ffi_prep_cif_fn
  package let call: clip_ffi_call_fn
  package let closureAllocate: clip_ffi_closure_alloc_fn
  package let closureFree: clip_ffi_closure_free_fn
  package let closurePrepare: clip_ffi_prep_closure_loc_fn
  private let types: [UnsafeMutablePointer<ffi_type>]
  private let handle: UnsafeMutableRawPointer

  private static var typeSymbols: [StaticString] {
    [
      "ffi_type_void", "ffi_type_sint8", "ffi_type_uint8", "ffi_type_sint16", "ffi_type_uint16", "ffi_type_sint32",
      "ffi_type_uint32", "ffi_type_sint64", "ffi_type_uint64", "ffi_type_float", "ffi_type_double", "ffi_type_pointer",
    ]
  }

  package convenience init() throws(ClipError) {
    // Never unloaded: pages of its trampolines would leak.
    let mode = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE
    guard let handle = dlopen("libffi.so.8", mode) ?? dlopen("libffi.so.7", mode) else {
      throw ClipError(
        CLIP_UNSUPPORTED, "libffi, which calls functions named in manifests, cannot be loaded: " + loaderMessage())
    }
    var types: [UnsafeMutablePointer<ffi_type>] = []
    for symbol in LibFFI.typeSymbols {
      guard let type = dlsym(handle, symbol.cString) else { break }
      types.append(type.assumingMemoryBound(to: ffi_type.self))
    }
    guard types.count == LibFFI.typeSymbols.count, let prepare = dlsym(handle, "ffi_prep_cif"),
      let call = dlsym(handle, "ffi_call"), let allocate = dlsym(handle, "ffi_closure_alloc"),
      let free = dlsym(handle, "ffi_closure_free"), let closure = dlsym(handle, "ffi_prep_closure_loc")
    else {
      dlclose(handle)
      throw ClipError(CLIP_UNSUPPORTED, "libffi lacks a function or type that this version needs")
    }
    self.init(
      handle, types, unsafeBitCast(prepare, to: clip_ffi_prep_cif_fn.self),
      unsafeBitCast(call, to: clip_ffi_call_fn.self),
      unsafeBitCast(allocate, to: clip_ffi_closure_alloc_fn.self),
      unsafeBitCast(free, to: clip_ffi_closure_free_fn.self),
      unsafeBitCast(closure, to: clip_ffi_prep_closure_loc_fn.self))
  }

  private init(
    _ handle: UnsafeMutableRawPointer, _ types: [UnsafeMutablePointer<ffi_type>],
    _ prepare: @escaping clip_ffi_prep_cif_fn,
    _ call: @escaping clip_ffi_call_fn, _ allocate: @escaping clip_ffi_closure_alloc_fn,
    _ free: @escaping clip_ffi_closure_free_fn, _ closure: @escaping clip_ffi_prep_closure_loc_fn
  ) {
    self.handle = handle
    self.types = types
    self.prepare = prepare
    self.call = call
    closureAllocate = allocate
    closureFree = free
    closurePrepare = closure
  }

  deinit { dlclose(handle) }

  package func type(_ type: ForeignType) -> UnsafeMutablePointer<ffi_type> { types[type.rawValue] }
}

/// The loader's message about its last failure on this thread.
package func loaderMessage() -> String { dlerror().map { String(cString: $0) } ?? "no reason given" }

/// The signature of a C function, prepared for libffi.
package final class ForeignSignature {
  package let result: ForeignType
  package let arguments: [ForeignType]
  package let library: LibFFI
  package let description: UnsafeMutablePointer<ffi_cif>
  private let types: UnsafeMutablePointer<UnsafeMutablePointer<ffi_type>?>

  /// The most arguments of a function.
  package static var maxArguments: Int { 32 }

  package convenience init(_ library: LibFFI, result: ForeignType, arguments: [ForeignType]) throws(ClipError) {
    self.init(library, result, arguments)
    guard
      library.prepare(description, clip_ffi_default_abi, UInt32(arguments.count), library.type(result), types) == FFI_OK
    else {
      throw ClipError(CLIP_UNSUPPORTED, "libffi refuses the signature")
    }
  }

  private init(_ library: LibFFI, _ result: ForeignType, _ arguments: [ForeignType]) {
    self.library = library
    self.result = result
    self.arguments = arguments
    description = .allocate(capacity: 1)
    description.initialize(to: ffi_cif())
    types = .allocate(capacity: max(1, arguments.count))
    for (index, argument) in arguments.enumerated() { (types + index).initialize(to: library.type(argument)) }
  }

  deinit {
    description.deallocate()
    types.deallocate()
  }

  /// Calls `function`. Each argument is in the first bytes of a slot. Returns the bits of the result.
  package func call(_ function: UnsafeMutableRawPointer, _ slots: UnsafeMutablePointer<UInt64>) -> UInt64 {
    var result: UInt64 = 0
    withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: ForeignSignature.maxArguments) {
      places in
      for index in 0..<arguments.count { places[index] = UnsafeMutableRawPointer(slots + index) }
      library.call(description, function, &result, places.baseAddress)
    }
    return result
  }
}
