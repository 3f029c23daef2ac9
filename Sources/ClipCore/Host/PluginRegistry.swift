import CClip
import CSystem
import ClipKernels

/// What the loaded plugins bring, by kind and id. Immutable once made.
final class PluginRegistry {
  struct Item {
    let kind: clip_plugin_kind
    let id: UnsafePointer<CChar>
    let description: UnsafePointer<CChar>
    let table: UnsafeRawPointer
    /// nil for what is built into the library.
    let plugin: PluginFile?
  }

  private(set) var items: [Item] = []
  private let log: Log

  /// The plain kernels that the library always has.
  private let reference: UnsafeMutablePointer<clip_kernels>

  init(log: Log) {
    self.log = log
    reference = .allocate(capacity: 1)
    reference.initialize(to: referenceKernels())
    add(
      CLIP_KIND_KERNELS, reference.pointee.id, reference.pointee.description, UnsafeRawPointer(reference), nil,
      complete: true)
  }

  deinit { reference.deallocate() }

  /// Loads a plugin file, or every .so of a folder. What is broken is skipped with a warning.
  func load(_ path: String) {
    if FileKind(path) == .folder {
      do throws(ClipError) {
        for name in try names(in: path, endingIn: ".so") { loadFile(join(path, name)) }
      } catch {
        log.warning("plugins: " + error.message)
      }
    } else {
      loadFile(path)
    }
  }

  private func loadFile(_ path: String) {
    do throws(ClipError) {
      let plugin = try PluginFile(path: path)
      guard let list = plugin.table.pointee.items else { return }
      for index in 0..<plugin.table.pointee.item_count { add(list[index], plugin) }
    } catch {
      log.warning("plugin skipped: " + error.message)
    }
  }

  private func add(_ item: clip_plugin_item, _ plugin: PluginFile) {
    guard let table = item.table else {
      return log.warning("plugin item skipped: " + plugin.path + ": its table is a null pointer")
    }
    switch clip_plugin_kind(item.kind) {
    case CLIP_KIND_ENCODER:
      guard checkSize(table, EncoderTable.requiredSize, plugin) else { return }
      let encoder = table.assumingMemoryBound(to: clip_encoder.self)
      add(
        CLIP_KIND_ENCODER, encoder.pointee.id, encoder.pointee.description, table, plugin,
        complete: encoder.pointee.build != nil)
    case CLIP_KIND_IMAGE_CODEC:
      guard checkSize(table, MemoryLayout<clip_image_codec>.size, plugin) else { return }
      let codec = table.assumingMemoryBound(to: clip_image_codec.self).pointee
      let complete = codec.recognises != nil && codec.read_header != nil && codec.decode != nil
      add(CLIP_KIND_IMAGE_CODEC, codec.id, codec.description, table, plugin, complete: complete)
    case CLIP_KIND_KERNELS:
      guard checkSize(table, MemoryLayout<clip_kernels>.size, plugin) else { return }
      let kernels = table.assumingMemoryBound(to: clip_kernels.self).pointee
      add(CLIP_KIND_KERNELS, kernels.id, kernels.description, table, plugin, complete: KernelChoice.isComplete(kernels))
    case CLIP_KIND_TOKENIZER:
      guard checkSize(table, MemoryLayout<clip_tokenizer>.size, plugin) else { return }
      let tokenizer = table.assumingMemoryBound(to: clip_tokenizer.self).pointee
      add(
        CLIP_KIND_TOKENIZER, tokenizer.id, tokenizer.description, table, plugin,
        complete: SentencePiece.isComplete(tokenizer))
    case CLIP_KIND_OP:
      guard checkSize(table, MemoryLayout<clip_op>.size, plugin) else { return }
      let op = table.assumingMemoryBound(to: clip_op.self).pointee
      add(CLIP_KIND_OP, op.id, op.description, table, plugin, complete: Builder.isComplete(op))
    default:
      log.warning("plugin item skipped: " + plugin.path + ": kind \(item.kind) is not known to this version")
    }
  }

  private func checkSize(_ table: UnsafeRawPointer, _ needed: Int, _ plugin: PluginFile) -> Bool {
    let found = table.load(as: UInt32.self)
    if Int(found) >= needed { return true }
    log.warning("plugin item skipped: " + plugin.path + ": expected a table of \(needed) bytes, found \(found)")
    return false
  }

  /// Adds an item; a null pointer, a malformed id or one that exists already is a warning.
  func add(
    _ kind: clip_plugin_kind, _ id: UnsafePointer<CChar>?, _ description: UnsafePointer<CChar>?,
    _ table: UnsafeRawPointer, _ plugin: PluginFile?, complete: Bool
  ) {
    let path = plugin?.path ?? "built in"
    guard let id, let description, complete else {
      return log.warning("plugin item skipped: " + path + ": expected an id, a description and all functions, found a null pointer")
    }
    let name = Name(cString: id)
    guard !name.isEmpty, name.utf8.count <= 200, name.utf8.allSatisfy(PluginRegistry.isIDByte) else {
      return log.warning("plugin item skipped: " + path + ": expected an id of a-z, 0-9, '.' and '-', found \"" + name.string + "\"")
    }
    if let known = find(kind, name) {
      return log.warning("plugin item skipped: " + path + ": " + name.string + " was already loaded from " + (known.plugin?.path ?? "the library"))
    }
    items.append(Item(kind: kind, id: id, description: description, table: table, plugin: plugin))
  }

  private static func isIDByte(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
  }

  func find(_ kind: clip_plugin_kind, _ id: Name) -> Item? {
    for item in items where item.kind == kind && Name(cString: item.id) == id { return item }
    return nil
  }

  /// Ids of one kind, for messages: "a, b"; "none".
  func ids(_ kind: clip_plugin_kind) -> String {
    var text = ""
    for item in items where item.kind == kind { text += (text.isEmpty ? "" : ", ") + String(cString: item.id) }
    return text.isEmpty ? "none" : text
  }
}
