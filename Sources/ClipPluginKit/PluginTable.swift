import CClip
import CSystem

/// Builds a plugin's tables in static storage of the plugin, so that nothing is to be freed. Use it in
/// clip_plugin_entry:
///
///     @c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
///       PluginTable.plugin(id: "clipcore.codec-png", version: "1.0.0", license: "Apache-2.0") { table in
///         table.addImageCodec(…)
///       }
///     }
public struct PluginTable {
  private static var maximumItems: Int { 64 }
  /// The storage has the `clip_plugin`, then the items, then what they point to.
  private static var itemsOffset: Int { 64 }

  private let storage: UnsafeMutableRawPointer
  private let items: UnsafeMutablePointer<clip_plugin_item>
  private var next: UnsafeMutableRawPointer
  private var count = 0
  /// Whether something did not fit in the storage.
  private var hasOverflowed = false

  /// The plugin's table, filled by `fill`; nil if it does not fit in the storage: more than 64 items or 32 KiB. Emitted
  /// into each plugin, so that each has storage of its own even if several are linked into one program.
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
    items = (storage + PluginTable.itemsOffset)
      .bindMemory(to: clip_plugin_item.self, capacity: PluginTable.maximumItems)
    next = storage + PluginTable.itemsOffset + PluginTable.maximumItems * MemoryLayout<clip_plugin_item>.stride
  }

  public func finish(id: StaticString, version: StaticString, license: StaticString) -> UnsafePointer<clip_plugin>? {
    if hasOverflowed { return nil }
    let plugin = storage.bindMemory(to: clip_plugin.self, capacity: 1)
    plugin.pointee = clip_plugin(
      struct_size: UInt32(MemoryLayout<clip_plugin>.size), abi_version: 2 << 16,
      id: id.cString, version: version.cString, license: license.cString,
      items: UnsafePointer(items), item_count: count)
    return UnsafePointer(plugin)
  }

  private mutating func addItem<Table>(_ table: Table, _ kind: clip_plugin_kind) {
    guard count < PluginTable.maximumItems, let copy = keep([table]) else {
      hasOverflowed = true
      return
    }
    items[count] = clip_plugin_item(kind: kind.rawValue, table: UnsafeRawPointer(copy))
    count += 1
  }

  /// Copies values to the plugin's storage; nil for no values, and if they do not fit.
  mutating func keep<Value>(_ values: [Value]) -> UnsafeMutablePointer<Value>? {
    if values.isEmpty { return nil }
    let size = (MemoryLayout<Value>.stride * values.count + 15) & ~15
    guard next + size <= storage + csystem_plugin_storage_bytes else {
      hasOverflowed = true
      return nil
    }
    let copies = next.bindMemory(to: Value.self, capacity: values.count)
    for (index, value) in values.enumerated() { (copies + index).initialize(to: value) }
    next += size
    return copies
  }

  /// Adds an encoder of `tower`, CLIP_TOWER_IMAGE or CLIP_TOWER_TEXT. `example` is a configuration that it can build;
  /// `build` is `{ Graph.build($0, …) }`.
  public mutating func addEncoder(
    _ tower: Int, id: StaticString, description: StaticString, strengths: StaticString, example: StaticString,
    build: @convention(c) (UnsafeMutablePointer<clip_builder>?) -> clip_value
  ) {
    let encoder = clip_encoder(
      struct_size: UInt32(MemoryLayout<clip_encoder>.size), tower: UInt32(clamping: tower), id: id.cString,
      description: description.cString, build: build, example: example.cString, strengths: strengths.cString)
    addItem(encoder, CLIP_KIND_ENCODER)
  }
  public mutating func add(_ op: clip_op) { addItem(op, CLIP_KIND_OP) }
  public mutating func add(_ codec: clip_image_codec) { addItem(codec, CLIP_KIND_IMAGE_CODEC) }
  public mutating func add(_ kernels: clip_kernels) { addItem(kernels, CLIP_KIND_KERNELS) }
  public mutating func add(_ augmentation: clip_augmentation) {
    addItem(augmentation, augmentation.apply_image != nil ? CLIP_KIND_IMAGE_AUGMENTATION : CLIP_KIND_TEXT_AUGMENTATION)
  }
  public mutating func add(_ tokenizer: clip_tokenizer) { addItem(tokenizer, CLIP_KIND_TOKENIZER) }
  public mutating func add(_ format: clip_weight_format) { addItem(format, CLIP_KIND_WEIGHTS) }
  public mutating func add(_ neighbours: clip_neighbours) { addItem(neighbours, CLIP_KIND_NEIGHBOURS) }
  public mutating func add(_ loader: clip_loader) { addItem(loader, CLIP_KIND_LOADER) }
}

extension StaticString {
  /// The literal as a C string, valid as long as the plugin is loaded.
  public var cString: UnsafePointer<CChar> { UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self) }
}
