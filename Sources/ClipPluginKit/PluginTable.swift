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
  private static var maximum: Int { 64 }
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
    guard count < PluginTable.maximum, let room = keep(table) else { return }
    items[count] = clip_plugin_item(kind: kind.rawValue, reserved: 0, table: UnsafeRawPointer(room))
    count += 1
  }

  /// Puts a value into the plugin's storage; nil when that is full.
  mutating func keep<Value>(_ value: Value) -> UnsafeMutablePointer<Value>? {
    let size = (MemoryLayout<Value>.stride + 15) & ~15
    guard next + size <= storage + csystem_plugin_storage_bytes else { return nil }
    let room = next.bindMemory(to: Value.self, capacity: 1)
    room.initialize(to: value)
    next += size
    return room
  }

  /// The same for a list, nil also for an empty one.
  mutating func keep<Value>(_ values: [Value]) -> UnsafeMutablePointer<Value>? {
    let size = (MemoryLayout<Value>.stride * values.count + 15) & ~15
    guard !values.isEmpty, next + size <= storage + csystem_plugin_storage_bytes else { return nil }
    let room = next.bindMemory(to: Value.self, capacity: values.count)
    for (index, value) in values.enumerated() { (room + index).initialize(to: value) }
    next += size
    return room
  }

  public mutating func add(_ encoder: clip_encoder) { place(encoder, CLIP_KIND_ENCODER) }
  public mutating func add(_ op: clip_op) { place(op, CLIP_KIND_OP) }
  public mutating func add(_ codec: clip_image_codec) { place(codec, CLIP_KIND_IMAGE_CODEC) }
  public mutating func add(_ kernels: clip_kernels) { place(kernels, CLIP_KIND_KERNELS) }
  public mutating func add(_ augmentation: clip_augmentation) {
    place(augmentation, augmentation.apply_image != nil ? CLIP_KIND_IMAGE_AUGMENTATION : CLIP_KIND_TEXT_AUGMENTATION)
  }
  public mutating func add(_ tokenizer: clip_tokenizer) { place(tokenizer, CLIP_KIND_TOKENIZER) }
  public mutating func add(_ loader: clip_loader) { place(loader, CLIP_KIND_LOADER) }
}

extension StaticString {
  /// The literal's NUL-terminated bytes, which live as long as the plugin.
  public var cString: UnsafePointer<CChar> { UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self) }
}
