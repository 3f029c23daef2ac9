import CClip

/// Checks an item's table, by its kind, when the plugin is loaded, so that users of the table need not.
extension PluginRegistry.Item {
  /// nil for a kind that this version does not know.
  init?(checking item: clip_plugin_item, of plugin: Plugin) throws(ClipError) {
    guard let table = item.table else { throw ClipError(CLIP_PLUGIN, "an item's table is a null pointer") }
    let kind = clip_plugin_kind(item.kind)
    switch kind {
    case CLIP_KIND_ENCODER:
      try checkSize(table, EncoderTable.requiredSize)
      let encoder = table.assumingMemoryBound(to: clip_encoder.self)
      try self.init(
        kind, encoder.pointee.id, encoder.pointee.description, table, plugin, "clip_encoder",
        missing: firstNull(["build"], at: MemoryLayout<TableHead>.size, in: table))
    case CLIP_KIND_IMAGE_CODEC:
      let codec = try read(table, clip_image_codec.self)
      try self.init(
        kind, codec.id, codec.description, table, plugin, "clip_image_codec",
        missing: firstNull(["recognises", "read_header", "decode"], atEndOf: table, clip_image_codec.self))
    case CLIP_KIND_KERNELS:
      let kernels = try read(table, clip_kernels.self)
      let head = table.load(as: TableHead.self)
      try self.init(kind, head.id, head.description, table, plugin, "clip_kernels", missing: missing(kernels, table))
    case CLIP_KIND_TOKENIZER:
      let tokenizer = try read(table, clip_tokenizer.self)
      try self.init(
        kind, tokenizer.id, tokenizer.description, table, plugin, "clip_tokenizer",
        missing: firstNull(["open", "encode", "close"], atEndOf: table, clip_tokenizer.self))
    case CLIP_KIND_LOADER:
      let loader = try read(table, clip_loader.self)
      try self.init(kind, loader.id, loader.description, table, plugin, "clip_loader", missing: missing(loader, table))
    case CLIP_KIND_WEIGHTS:
      let format = try read(table, clip_weight_format.self)
      try self.init(
        kind, format.id, format.description, table, plugin, "clip_weight_format",
        missing: firstNull(["recognises", "read"], atEndOf: table, clip_weight_format.self))
    case CLIP_KIND_NEIGHBOURS:
      let neighbours = try read(table, clip_neighbours.self)
      try self.init(
        kind, neighbours.id, neighbours.description, table, plugin, "clip_neighbours",
        missing: firstNull(
          ["methods", "build", "save", "load", "search", "uses_rows", "memory_bytes", "close"], atEndOf: table,
          clip_neighbours.self))
    case CLIP_KIND_OP:
      let op = try read(table, clip_op.self)
      try self.init(kind, op.id, op.description, table, plugin, "clip_op", missing: missing(op, table))
    case CLIP_KIND_IMAGE_AUGMENTATION, CLIP_KIND_TEXT_AUGMENTATION:
      let augmentation = try read(table, clip_augmentation.self)
      if let problem = AugmentationTable.problem(in: augmentation, kind) { throw ClipError(CLIP_PLUGIN, problem) }
      try self.init(kind, augmentation.id, augmentation.description, table, plugin, "clip_augmentation", missing: nil)
    default:
      return nil
    }
  }

  private init(
    _ kind: clip_plugin_kind, _ id: UnsafePointer<CChar>?, _ description: UnsafePointer<CChar>?,
    _ table: UnsafeRawPointer, _ plugin: Plugin, _ type: StaticString, missing: StaticString?
  ) throws(ClipError) {
    guard let id, let description else {
      throw ClipError(CLIP_PLUGIN, "an item: expected an id and a description, found a null pointer")
    }
    guard PluginNames.isID(Name(cString: id)) else {
      throw ClipError(CLIP_PLUGIN, "expected an id of a-z, 0-9, '.' and '-', found \"" + String(cString: id) + "\"")
    }
    if let missing {
      throw ClipError(
        CLIP_PLUGIN, String(cString: id) + ": expected all functions and sizes of a \(type), found no \(missing)")
    }
    self.init(kind: kind, id: id, description: description, table: table, plugin: plugin)
  }
}

private func checkSize(_ table: UnsafeRawPointer, _ needed: Int) throws(ClipError) {
  let found = table.load(as: UInt32.self)
  guard Int(found) >= needed else {
    throw ClipError(CLIP_PLUGIN, "expected a table of \(needed) bytes, found \(found)")
  }
}

/// The table as a `T`, if its struct_size covers one.
private func read<T: BitwiseCopyable>(_ table: UnsafeRawPointer, _ type: T.Type) throws(ClipError) -> T {
  try checkSize(table, MemoryLayout<T>.size)
  return table.assumingMemoryBound(to: T.self).pointee
}

/// The start that all tables share. Its pointers may be NULL, whatever the header says.
private struct TableHead: BitwiseCopyable {
  let size: UInt32
  let word: UInt32
  let id: UnsafePointer<CChar>?
  let description: UnsafePointer<CChar>?
}

/// The first NULL among the functions at the end of a `T`. `names` are their names, nil for one that may be NULL.
private func firstNull<T>(_ names: [StaticString?], atEndOf table: UnsafeRawPointer, _ type: T.Type) -> StaticString? {
  firstNull(names, at: MemoryLayout<T>.size - names.count * MemoryLayout<UInt>.size, in: table)
}

/// The first NULL among the functions from `start` on. Reads the table's memory, because Swift assumes that a function
/// declared non-null is not NULL.
private func firstNull(_ names: [StaticString?], at start: Int, in table: UnsafeRawPointer) -> StaticString? {
  for (index, name) in names.enumerated() {
    if let name, table.load(fromByteOffset: start + index * MemoryLayout<UInt>.size, as: UInt.self) == 0 { return name }
  }
  return nil
}

/// The first field of a table that is missing.
private func firstMissing(_ fields: [(isThere: Bool, name: StaticString)]) -> StaticString? {
  for field in fields where !field.isThere { return field.name }
  return nil
}

private func missing(_ op: clip_op, _ table: UnsafeRawPointer) -> StaticString? {
  let names = UnsafeBufferPointer(
    start: op.setting_names, count: op.setting_names == nil ? 0 : Int(min(64, op.setting_count)))
  return firstNull(["shape", nil, nil, "forward", nil], atEndOf: table, clip_op.self)
    ?? firstMissing([
      ((1...8).contains(op.input_count), "1 to 8 inputs"),
      (op.setting_count <= 64, "count of settings up to 64"),
      (names.count == Int(op.setting_count) && names.allSatisfy { $0 != nil }, "name for each setting"),
    ])
}

private func missing(_ loader: clip_loader, _ table: UnsafeRawPointer) -> StaticString? {
  let suffix = loader.suffix.map { Name(cString: $0) } ?? ""
  return firstNull(["load", "unload"], atEndOf: table, clip_loader.self)
    ?? firstMissing([
      (suffix.utf8.count > 1 && suffix.utf8.first == UInt8(ascii: "."), "suffix such as \".json\"")
    ])
}

private func missing(_ kernels: clip_kernels, _ table: UnsafeRawPointer) -> StaticString? {
  let functions: [StaticString?] = [
    "panel_bytes", "pack_panel", "packed_rows", "pack_rows", "matmul", "attention_scratch", "attention", "layer_norm",
    "scale_shift", "add", "normalize", "winograd_input", "winograd_output", "resample_horizontal", "resample_vertical",
    "score_rows",
  ]
  return firstNull(functions, atEndOf: table, clip_kernels.self)
    ?? firstMissing([
      ((1...1024).contains(kernels.panel_width), "panel_width from 1 to 1024"),
      ((1...1024).contains(kernels.tile_rows), "tile_rows from 1 to 1024"),
      (kernels.storages & 1 != 0, "CLIP_STORAGE_F32 among the storages"),
    ])
}
