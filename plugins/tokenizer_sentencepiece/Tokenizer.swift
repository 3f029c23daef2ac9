import CClip
import CSystem
import ClipPluginKit
import SentencePieceShim

/// SentencePiece (Kudo and Richardson, 2018, https://arxiv.org/abs/1808.06226) by libsentencepiece. A file is validated
/// before the library reads it, since the library does not check all of it.
func openModel(
  _ data: UnsafePointer<UInt8>?, _ size: Int, _ tokenizer: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
  _ error: UnsafeMutablePointer<clip_plugin_error>?
) -> clip_status {
  guard let data, let tokenizer, size > 0 else {
    return fail(error, CLIP_FORMAT, "SentencePiece: expected a model, found no bytes")
  }
  if let problem = ModelFile.problem(in: UnsafeRawBufferPointer(start: data, count: size)) {
    return fail(error, CLIP_FORMAT, "SentencePiece: " + problem)
  }
  if let failure = failureWithoutMemory(size, error) { return failure }
  var model: OpaquePointer?
  var message = [CChar](repeating: 0, count: 256)
  let result = message.withUnsafeMutableBufferPointer {
    sentencepiece_open(data, size, &model, $0.baseAddress, $0.count)
  }
  guard result == SENTENCEPIECE_OK, let model else { return failed(result, message, error) }
  tokenizer.pointee = UnsafeMutableRawPointer(model)
  return CLIP_OK
}

func tokenID(_ tokenizer: UnsafeRawPointer?, _ name: UnsafePointer<CChar>?) -> Int32 {
  guard let tokenizer, let name else { return -1 }
  return sentencepiece_piece_id(OpaquePointer(tokenizer), name)
}

func encode(
  _ tokenizer: UnsafeRawPointer?, _ text: UnsafePointer<CChar>?, _ size: Int, _ ids: UnsafeMutablePointer<Int32>?,
  _ capacity: Int, _ count: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<clip_plugin_error>?
) -> clip_status {
  guard let tokenizer, let count, text != nil || size == 0, ids != nil || capacity == 0 else {
    return fail(error, CLIP_INVALID_ARGUMENT, "SentencePiece: expected a tokenizer, a text and memory for its ids")
  }
  if let failure = failureWithoutMemory(size, error) { return failure }
  var message = [CChar](repeating: 0, count: 256)
  let result = message.withUnsafeMutableBufferPointer {
    sentencepiece_encode(OpaquePointer(tokenizer), text, size, ids, capacity, count, $0.baseAddress, $0.count)
  }
  return result == SENTENCEPIECE_OK ? CLIP_OK : failed(result, message, error)
}

/// The library may end the process where an allocation fails. So that hardly one does, memory for what it takes of
/// `size` bytes must be there before; nil where it is.
private func failureWithoutMemory(_ size: Int, _ error: UnsafeMutablePointer<clip_plugin_error>?) -> clip_status? {
  let (needed, overflow) = size.multipliedReportingOverflow(by: 64)
  let status = reporting(error, prefix: "SentencePiece: ") { () throws(PluginFailure) in
    try requireMemory(overflow ? .max : needed + (1 << 20))
  }
  return status == CLIP_OK ? nil : status
}

/// Reports the failure of a call of the library.
private func failed(
  _ result: Int32, _ message: [CChar], _ error: UnsafeMutablePointer<clip_plugin_error>?
) -> clip_status {
  if result == SENTENCEPIECE_NO_MEMORY { return fail(error, CLIP_OUT_OF_MEMORY, "SentencePiece: no memory") }
  let text = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
  return fail(error, CLIP_FORMAT, "SentencePiece: " + String(decoding: text, as: UTF8.self))
}
