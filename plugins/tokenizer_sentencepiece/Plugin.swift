import CClip
import ClipPluginKit
import SentencePieceShim

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.tokenizer-sentencepiece", version: "0.1.0", license: "Apache-2.0") { table in
    table.add(
      clip_tokenizer(
        struct_size: UInt32(MemoryLayout<clip_tokenizer>.size),
        id: StaticString("clipcore.tokenizer.sentencepiece").cString,
        description: StaticString("SentencePiece models by libsentencepiece: unigram, BPE, word, char").cString,
        open: { openModel($0, $1, $2, $3) },
        token_count: { $0.map { sentencepiece_piece_count(OpaquePointer($0)) } ?? 0 },
        token_id: { tokenID($0, $1) },
        encode: { encode($0, $1, $2, $3, $4, $5, $6) },
        close: { sentencepiece_close(OpaquePointer($0)) }))
  }
}
