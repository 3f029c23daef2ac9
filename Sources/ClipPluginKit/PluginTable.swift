import CClip
import CSystem

/// Builds a plugin's tables in the plugin's own static storage, so that scanning allocates
/// nothing. Use it in clip_plugin_entry:
///
///     @c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
///       PluginTable.plugin(id: "clipcore.codec-png", version: "1.0.0", license: "Apache-2.0") { table in
///         table.add(clip_image_codec(…))
///       }
///     }
public struct PluginTable {
  private static var maximum: Int { 16 }
  private static var itemsOffset: Int { 64 }

  private let storage: UnsafeMutableRawPointer
  private let items: UnsafeMutablePointer<clip_plugin_item>
  private var next: UnsafeMutableRawPointer
  private var count = 0

  /// Emitted into each plugin, so that each has storage of its own also when several are linked
  /// into one program.
  @_alwaysEmitIntoClient
  public static func plugin(
    id: StaticString, version: StaticString, license: StaticString, _ fill: (inout PluginTable) -> Void
  ) -> UnsafePointer<clip_plugin>? {
    guard let storage = csystem_plugin_storage() else { return nil }
    var table = PluginTable(storage: storage)
    fill(&table)
    return table.finish(id: id, version: version, license: license)
  }

  public init(storage: UnsafeMutableRawPointer) {
    self.storage = storage
    items = (storage + PluginTable.itemsOffset).bindMemory(to: clip_plugin_item.self, capacity: PluginTable.maximum)
    next = storage + PluginTable.itemsOffset + PluginTable.maximum * MemoryLayout<clip_plugin_item>.stride
  }

  public func finish(id: StaticString, version: StaticString, license: StaticString) -> UnsafePointer<clip_plugin> {
    let plugin = storage.bindMemory(to: clip_plugin.self, capacity: 1)
    plugin.pointee = clip_plugin(
      struct_size: UInt32(MemoryLayout<clip_plugin>.size), abi_version: 1 << 16,
      id: id.cString, version: version.cString, license: license.cString,
      items: UnsafePointer(items), item_count: count)
    return UnsafePointer(plugin)
  }

  private mutating func place<Table>(_ table: Table, _ kind: clip_plugin_kind) {
    let size = (MemoryLayout<Table>.size + 15) & ~15
    guard count < PluginTable.maximum, next + size <= storage + csystem_plugin_storage_bytes else { return }
    next.bindMemory(to: Table.self, capacity: 1).initialize(to: table)
    items[count] = clip_plugin_item(kind: kind.rawValue, reserved: 0, table: UnsafeRawPointer(next))
    count += 1
    next += size
  }

  public mutating func add(_ encoder: clip_encoder) { place(encoder, CLIP_KIND_ENCODER) }
  public mutating func add(_ op: clip_op) { place(op, CLIP_KIND_OP) }
  public mutating func add(_ codec: clip_image_codec) { place(codec, CLIP_KIND_IMAGE_CODEC) }
  public mutating func add(_ kernels: clip_kernels) { place(kernels, CLIP_KIND_KERNELS) }
  public mutating func add(_ tokenizer: clip_tokenizer) { place(tokenizer, CLIP_KIND_TOKENIZER) }
}

extension StaticString {
  /// The literal's NUL-terminated bytes, which live as long as the plugin.
  public var cString: UnsafePointer<CChar> { UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self) }
}
