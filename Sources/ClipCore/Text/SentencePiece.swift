import CClip
import CSystem

/// A model file that the SentencePiece plugin has opened. Any number of threads may encode at once.
final class SentencePiece {
  static var plugin: Name { "clipcore.tokenizer.sentencepiece" }

  private let table: UnsafePointer<clip_tokenizer>
  private let handle: UnsafeMutableRawPointer
  /// Held so that it stays loaded.
  private let plugin: Plugin?

  /// `file` is not needed after the call.
  convenience init(_ file: MappedFile, _ plugins: PluginRegistry) throws(ClipError) {
    guard let item = plugins.find(CLIP_KIND_TOKENIZER, SentencePiece.plugin) else {
      throw ClipError(
        CLIP_NOT_FOUND,
        "\(file.path): expected the plugin \(SentencePiece.plugin.string) to read it, found "
          + plugins.ids(CLIP_KIND_TOKENIZER)
          + ". It is clipcore/plugins/on-demand/tokenizer_sentencepiece.so, which needs "
          + "libsentencepiece.so.0 (Debian: libsentencepiece0); the log says why it was not loaded")
    }
    let table = item.table.assumingMemoryBound(to: clip_tokenizer.self)
    let bytes = file.bytes.bindMemory(to: UInt8.self)
    var handle: UnsafeMutableRawPointer?
    try callPlugin(SentencePiece.plugin.string, file.path) { error in
      table.pointee.open(bytes.baseAddress, bytes.count, &handle, error)
    }
    guard let handle else {
      throw ClipError(
        CLIP_PLUGIN, "\(file.path): expected a tokenizer from \(SentencePiece.plugin.string), found a null pointer")
    }
    self.init(table, handle, item.plugin)
  }

  private init(_ table: UnsafePointer<clip_tokenizer>, _ handle: UnsafeMutableRawPointer, _ plugin: Plugin?) {
    self.table = table
    self.handle = handle
    self.plugin = plugin
  }

  deinit { table.pointee.close(handle) }

  var count: Int { table.pointee.token_count(handle) }

  func id(_ name: Name) -> Int32? {
    if name.utf8.contains(0) { return nil }
    let id = name.string.withCString { table.pointee.token_id(handle, $0) }
    return id < 0 ? nil : id
  }

  /// The id of a token that must exist. `role`, such as "end", is for the message.
  func required(_ name: Name, _ role: StaticString, _ place: String) throws(ClipError) -> Int32 {
    guard let id = id(name) else {
      throw ClipError(
        CLIP_FORMAT, "\(place): expected the \(role) token \"\(name.string)\" in the vocabulary, found none")
    }
    return id
  }

  /// The ids of a UTF-8 text.
  func encode(_ text: [UInt8]) throws(ClipError) -> [Int32] {
    // Each token usually covers a byte or more; 8 are for what the model adds. A second call has the exact size.
    var ids = [Int32](repeating: 0, count: text.count + 8)
    var count = try encode(text, into: &ids)
    if count > ids.count {
      ids = [Int32](repeating: 0, count: count)
      count = min(count, try encode(text, into: &ids))
    }
    ids.removeLast(ids.count - count)
    return ids
  }

  private func encode(_ text: [UInt8], into ids: inout [Int32]) throws(ClipError) -> Int {
    var count = 0
    let (table, handle) = (table, handle)
    try callPlugin(SentencePiece.plugin.string, "text") { error in
      text.withUnsafeBufferPointer { text in
        ids.withUnsafeMutableBufferPointer { ids in
          text.withMemoryRebound(to: CChar.self) {
            table.pointee.encode(handle, $0.baseAddress, $0.count, ids.baseAddress, ids.count, &count, error)
          }
        }
      }
    }
    let most = self.count
    for id in ids.prefix(count) where id < 0 || id >= most {
      throw ClipError(CLIP_PLUGIN, "\(SentencePiece.plugin.string): expected ids below \(most), found \(id)")
    }
    return count
  }
}
