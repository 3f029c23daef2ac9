import CClip
import CSystem

/// The files of a model folder that a tokenizer plugin has asked for. They stay mapped until the plugin has opened it.
final class TokenizerFiles {
  private let folder: String
  private var files: [MappedFile] = []

  init(folder: String) { self.folder = folder }

  private func read(_ name: Name) throws(ClipError) -> UnsafeRawBufferPointer? {
    let path = join(folder, name)
    if try FileKind(path) == .absent { return nil }
    let file = try MappedFile(path: path)
    files.append(file)
    return file.bytes
  }

  /// The `file` of clip_tokenizer_model.
  static func file(
    _ model: UnsafePointer<clip_tokenizer_model>?, _ name: UnsafePointer<CChar>?,
    _ data: UnsafeMutablePointer<UnsafePointer<UInt8>?>?, _ size: UnsafeMutablePointer<Int>?,
    _ error: UnsafeMutablePointer<clip_plugin_error>?
  ) -> clip_status {
    guard let host = model?.pointee.host, let name, let data, let size else { return CLIP_INVALID_ARGUMENT }
    let files = Unmanaged<TokenizerFiles>.fromOpaque(host).takeUnretainedValue()
    do throws(ClipError) {
      guard let bytes = try files.read(Name(cString: name)) else { return CLIP_NOT_FOUND }
      data.pointee = bytes.bindMemory(to: UInt8.self).baseAddress
      size.pointee = bytes.count
      return CLIP_OK
    } catch let failure {
      failure.message.withCString { csystem_copy_text(error?.pointee.message, error?.pointee.capacity ?? 0, $0) }
      return failure.status == CLIP_NOT_FOUND ? CLIP_IO : failure.status
    }
  }
}
