import CClip
import CSystem
import ClipBase
import ClipPluginKit

/// Tokenizers that split words into parts: byte pairs, WordPiece, unigram, as transformers' files describe them.
@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.tokenizer-subword", version: "0.1.0", license: "Apache-2.0") { table in
    table.add(
      clip_tokenizer(
        struct_size: UInt32(MemoryLayout<clip_tokenizer>.size), id: text("clipcore.tokenizer.subword"),
        description: text("byte pairs, WordPiece and unigram: tokenizer.json, vocab.json, vocab.txt, SentencePiece"),
        open: { open($0, $1, $2) }, encode: { encode($0, $1, $2, $3, $4, $5, $6) },
        close: { if let handle = $0 { Unmanaged<Tokenizer>.fromOpaque(handle).release() } }))
  }
}

private func open(
  _ model: UnsafePointer<clip_tokenizer_model>?, _ tokenizer: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
  _ error: UnsafeMutablePointer<clip_plugin_error>?
) -> clip_status {
  guard let model, let tokenizer else { return CLIP_INVALID_ARGUMENT }
  return reporting(error) { () throws(ClipError) in
    let opened = try TokenizerFolder(model).open()
    tokenizer.pointee = Unmanaged.passRetained(opened).toOpaque()
  }
}

private func encode(
  _ tokenizer: UnsafeRawPointer?, _ text: UnsafePointer<CChar>?, _ size: Int, _ flags: UInt32,
  _ row: UnsafeMutablePointer<Int32>?, _ count: UnsafeMutablePointer<Int>?,
  _ error: UnsafeMutablePointer<clip_plugin_error>?
) -> clip_status {
  guard let tokenizer, let row, let count, text != nil || size == 0 else { return CLIP_INVALID_ARGUMENT }
  return reporting(error) { () throws(ClipError) in
    count.pointee = try Unmanaged<Tokenizer>.fromOpaque(tokenizer).takeUnretainedValue().encodeRow(
      UnsafeRawBufferPointer(start: text, count: size).bindMemory(to: UInt8.self),
      cleaning: flags & UInt32(CLIP_TEXT_OPENAI_CLEANING) != 0 ? .openAI : nil,
      truncate: flags & UInt32(CLIP_TEXT_TRUNCATE) != 0, into: row)
  }
}

/// Runs `body` and puts what it throws into `error`.
private func reporting(
  _ error: UnsafeMutablePointer<clip_plugin_error>?, _ body: () throws(ClipError) -> Void
) -> clip_status {
  do throws(ClipError) {
    try requireMemory("a tokenizer")
    try body()
    return CLIP_OK
  } catch let failure {
    failure.message.withCString { csystem_copy_text(error?.pointee.message, error?.pointee.capacity ?? 0, $0) }
    return failure.status
  }
}

private func text(_ literal: StaticString) -> UnsafePointer<CChar> {
  UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
}
