import CClip
import CSystem

/// A loaded plugin. It is unloaded with the last reference, so whatever uses a plugin's tables
/// holds one of these.
final class PluginFile {
  let table: UnsafePointer<clip_plugin>
  let path: String
  /// `path` for C callers, as long as this lives.
  let pathBytes: UnsafePointer<CChar>?
  private let handle: UnsafeMutableRawPointer
  private let descriptor: Int32

  /// Loads `path` from a private copy in memory, so that rewriting the file never touches code
  /// that runs, and the same path loaded again is the new code.
  convenience init(path: String) throws(ClipError) {
    let file = try MappedFile(path: path)
    try PluginFile.checkELF(file)
    let copy = "clipcore-plugin".withCString { csystem_memory_file($0) }
    guard copy >= 0 else { throw systemError("cannot copy " + path) }
    var written = 0
    while written < file.bytes.count {
      let count = write(copy, file.bytes.baseAddress.map { $0 + written }, file.bytes.count - written)
      guard count > 0 else {
        let failure = systemError("cannot copy " + path)
        close(copy)
        throw failure
      }
      written += count
    }
    // The descriptor stays open: its number is the library's name to the loader, which must not
    // be given to another plugin while this one is loaded.
    guard let handle = "/proc/self/fd/\(copy)".withCString({ dlopen($0, RTLD_NOW | RTLD_LOCAL) }) else {
      let reason = dlerror().map { String(cString: $0) } ?? "no reason given"
      close(copy)
      throw ClipError(CLIP_PLUGIN, path + ": cannot be loaded: " + reason)
    }
    func failed(_ message: String) -> ClipError {
      dlclose(handle)
      close(copy)
      return ClipError(CLIP_PLUGIN, path + ": " + message)
    }
    guard let symbol = dlsym(handle, "clip_plugin_entry") else {
      throw failed("expected the function clip_plugin_entry, found none")
    }
    let entry = unsafeBitCast(symbol, to: (@convention(c) () -> UnsafePointer<clip_plugin>?).self)
    guard let table = entry() else { throw failed("clip_plugin_entry returned no table") }
    if let problem = PluginFile.problem(in: table) { throw failed(problem) }
    self.init(table, path, handle, copy)
  }

  private init(
    _ table: UnsafePointer<clip_plugin>, _ path: String, _ handle: UnsafeMutableRawPointer, _ descriptor: Int32
  ) {
    self.table = table
    self.path = path
    pathBytes = UnsafePointer(path.withCString { strdup($0) })
    self.handle = handle
    self.descriptor = descriptor
  }

  deinit {
    dlclose(handle)
    close(descriptor)
    free(UnsafeMutablePointer(mutating: pathBytes))
  }

  /// What the loader would say in words that do not name the file or the reason.
  private static func checkELF(_ file: MappedFile) throws(ClipError) {
    let magic: [UInt8] = [0x7f, UInt8(ascii: "E"), UInt8(ascii: "L"), UInt8(ascii: "F")]
    guard file.bytes.count >= 64, file.bytes.prefix(4).elementsEqual(magic) else {
      throw ClipError(CLIP_PLUGIN, file.path + ": expected a shared library (ELF), found something else")
    }
  }

  private static func problem(in table: UnsafePointer<clip_plugin>) -> String? {
    let needed = MemoryLayout<clip_plugin>.size
    guard Int(table.pointee.struct_size) >= needed else {
      return "expected a plugin table of \(needed) bytes, found \(table.pointee.struct_size)"
    }
    let host = clip_abi_version()
    let found = table.pointee.abi_version
    guard found >> 16 == host >> 16 else {
      return "expected plugin interface \(host >> 16).x, found \(found >> 16).\(found & 0xffff)"
    }
    guard table.pointee.id != nil, table.pointee.version != nil, table.pointee.license != nil else {
      return "expected an id, a version and a license, found a null pointer"
    }
    guard table.pointee.items != nil || table.pointee.item_count == 0, table.pointee.item_count <= 4096 else {
      return "expected a list of at most 4096 items, found \(table.pointee.item_count)"
    }
    return nil
  }
}
