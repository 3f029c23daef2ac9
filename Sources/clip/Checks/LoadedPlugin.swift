import CClip
import Glibc

/// A plugin file loaded into this process without a host.
final class LoadedPlugin {
  let table: UnsafePointer<clip_plugin>
  let items: [clip_plugin_item]
  private let handle: UnsafeMutableRawPointer

  init(_ path: ByteString) throws(CLIPError) {
    // Without a slash dlopen would search the system's folders.
    let file = path.bytes.contains(UInt8(ascii: "/")) ? path : ByteString("./").joined(path)
    guard let handle = file.withCString({ dlopen($0, RTLD_NOW | RTLD_LOCAL) }) else {
      throw CLIPError("the loader refuses it: \(string(dlerror()))")
    }
    guard let symbol = dlsym(handle, "clip_plugin_entry") else {
      throw CLIPError("expected the function clip_plugin_entry, found none")
    }
    let entry = unsafeBitCast(symbol, to: clip_plugin_entry_fn.self)
    guard let table = entry() else { throw CLIPError("clip_plugin_entry returned no table") }
    guard entry() == table else { throw CLIPError("clip_plugin_entry returned another table when called again") }
    let size = Int(table.pointee.struct_size)
    guard size >= MemoryLayout<clip_plugin>.size else {
      throw CLIPError("expected a table of \(MemoryLayout<clip_plugin>.size) bytes, found \(size)")
    }
    let (found, host) = (table.pointee.abi_version, clip_abi_version())
    guard found >> 16 == host >> 16 else {
      throw CLIPError("expected plugin interface \(host >> 16).x, found \(found >> 16).\(found & 0xffff)")
    }
    guard table.pointee.item_count <= 4096, table.pointee.items != nil || table.pointee.item_count == 0 else {
      throw CLIPError("expected a list of at most 4096 items, found \(table.pointee.item_count)")
    }
    self.handle = handle
    self.table = table
    items = Array(UnsafeBufferPointer(start: table.pointee.items, count: table.pointee.item_count))
  }

  /// The table of item `index` as T, if it exists, is of that kind, has at least `size` bytes and the functions
  /// `needed`. The functions are read as memory, since Swift does not expect NULL in a pointer that the header calls
  /// non-null.
  func item<T>(
    _ index: Int, _ kind: clip_plugin_kind, _ type: T.Type, size: Int, needed: [PartialKeyPath<T>] = []
  ) throws(CLIPError) -> UnsafePointer<T> {
    guard items.indices.contains(index), items[index].kind == kind.rawValue, let table = items[index].table else {
      throw CLIPError(
        "item \(index) is no \(PluginKind(rawValue: UInt32(kind.rawValue))?.name ?? "kind \(kind.rawValue)")")
    }
    let found = Int(table.load(as: UInt32.self))
    guard found >= size else { throw CLIPError("item \(index): expected a table of \(size) bytes, found \(found)") }
    for offset in needed.compactMap({ MemoryLayout<T>.offset(of: $0) })
    where table.load(fromByteOffset: offset, as: UInt.self) == 0 { throw CLIPError("a function is a null pointer") }
    return table.assumingMemoryBound(to: type)
  }

  /// The id of an item: the first pointer of its table, for all known kinds.
  func id(of index: Int) -> String {
    guard let table = items[index].table else { return "" }
    return string(table.load(fromByteOffset: 8, as: UnsafePointer<CChar>?.self))
  }

  /// Unloads the file.
  func unload() { dlclose(handle) }
}

extension ByteString {
  func joined(_ other: ByteString) -> ByteString { ByteString(bytes + other.bytes) }
}
