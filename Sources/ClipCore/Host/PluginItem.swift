import CClip

/// What an item's table must have, by its kind. It is checked when the plugin is loaded, so that users of the table need not.
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
        missing: encoder.pointee.build == nil ? "build" : nil)
    case CLIP_KIND_IMAGE_CODEC:
      let codec = try read(table, clip_image_codec.self)
      try self.init(kind, codec.id, codec.description, table, plugin, "clip_image_codec", missing: missing(codec))
    case CLIP_KIND_KERNELS:
      let kernels = try read(table, clip_kernels.self)
      try self.init(kind, kernels.id, kernels.description, table, plugin, "clip_kernels", missing: missing(kernels))
    case CLIP_KIND_TOKENIZER:
      let tokenizer = try read(table, clip_tokenizer.self)
      try self.init(
        kind, tokenizer.id, tokenizer.description, table, plugin, "clip_tokenizer", missing: missing(tokenizer))
    case CLIP_KIND_LOADER:
      let loader = try read(table, clip_loader.self)
      try self.init(kind, loader.id, loader.description, table, plugin, "clip_loader", missing: missing(loader))
    case CLIP_KIND_OP:
      let op = try read(table, clip_op.self)
      try self.init(kind, op.id, op.description, table, plugin, "clip_op", missing: missing(op))
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

/// The table as a `T`, once its struct_size says that it is one.
private func read<T: BitwiseCopyable>(_ table: UnsafeRawPointer, _ type: T.Type) throws(ClipError) -> T {
  try checkSize(table, MemoryLayout<T>.size)
  return table.assumingMemoryBound(to: T.self).pointee
}

/// The first of a table's fields that is not there.
private func firstMissing(_ fields: [(isThere: Bool, name: StaticString)]) -> StaticString? {
  for field in fields where !field.isThere { return field.name }
  return nil
}

private func missing(_ codec: clip_image_codec) -> StaticString? {
  firstMissing([
    (codec.recognises != nil, "recognises"), (codec.read_header != nil, "read_header"), (codec.decode != nil, "decode"),
  ])
}

private func missing(_ op: clip_op) -> StaticString? {
  firstMissing([
    (op.shape != nil, "shape"), (op.forward != nil, "forward"), ((1...8).contains(op.input_count), "1 to 8 inputs"),
    (op.setting_count <= 64, "count of settings up to 64"),
  ])
}

private func missing(_ loader: clip_loader) -> StaticString? {
  let suffix = loader.suffix.map { Name(cString: $0) } ?? ""
  return firstMissing([
    (loader.load != nil, "load"), (loader.unload != nil, "unload"),
    (suffix.utf8.count > 1 && suffix.utf8.first == UInt8(ascii: "."), "suffix such as \".json\""),
  ])
}

private func missing(_ tokenizer: clip_tokenizer) -> StaticString? {
  firstMissing([
    (tokenizer.open != nil, "open"), (tokenizer.token_count != nil, "token_count"),
    (tokenizer.token_id != nil, "token_id"), (tokenizer.encode != nil, "encode"), (tokenizer.close != nil, "close"),
  ])
}

private func missing(_ kernels: clip_kernels) -> StaticString? {
  firstMissing([
    (kernels.panel_bytes != nil, "panel_bytes"), (kernels.pack_panel != nil, "pack_panel"),
    (kernels.packed_rows != nil, "packed_rows"), (kernels.pack_rows != nil, "pack_rows"),
    (kernels.matmul != nil, "matmul"), (kernels.attention_scratch != nil, "attention_scratch"),
    (kernels.attention != nil, "attention"), (kernels.layer_norm != nil, "layer_norm"),
    (kernels.scale_shift != nil, "scale_shift"), (kernels.add != nil, "add"), (kernels.normalize != nil, "normalize"),
    (kernels.winograd_input != nil, "winograd_input"), (kernels.winograd_output != nil, "winograd_output"),
    (kernels.resample_across != nil, "resample_across"), (kernels.resample_down != nil, "resample_down"),
    ((1...1024).contains(kernels.panel_width), "panel_width from 1 to 1024"),
    ((1...1024).contains(kernels.tile_rows), "tile_rows from 1 to 1024"),
    (kernels.storages & 1 != 0, "CLIP_STORAGE_F32 among the storages"),
  ])
}
