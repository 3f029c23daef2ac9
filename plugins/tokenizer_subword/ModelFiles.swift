import CClip
import ClipBase

/// The files of a model folder, read by the host with a size limit. Valid during `open`.
struct ModelFiles {
  private let model: UnsafePointer<clip_tokenizer_model>
  let folder: String

  init(_ model: UnsafePointer<clip_tokenizer_model>) {
    self.model = model
    folder = model.pointee.folder.map { String(cString: $0) } ?? ""
  }

  func path(_ name: StaticString) -> String { folder + "/" + name.description }

  /// The size limit of a file with `vocabularySize` tokens. Parsing takes several times the file's size in memory.
  static func byteLimit(_ vocabularySize: Int) -> Int { max(1 << 20, min(vocabularySize, 1 << 20) * 256) }

  func has(_ name: StaticString) throws(ClipError) -> Bool { try bytes(name, .max) != nil }

  /// nil if the file does not exist.
  func json(_ name: StaticString, _ byteLimit: Int) throws(ClipError) -> JSON? {
    guard let bytes = try bytes(name, byteLimit) else { return nil }
    return try JSON.parse(bytes, place: path(name))
  }

  /// nil if the file does not exist.
  func bytes(_ name: StaticString, _ byteLimit: Int) throws(ClipError) -> UnsafeRawBufferPointer? {
    var data: UnsafePointer<UInt8>?
    var size = 0
    var isAbsent = false
    try callPlugin("host", "", capacity: 4096) { error in
      let status = model.pointee.file(
        model, UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self), &data, &size, error)
      isAbsent = status == CLIP_NOT_FOUND
      return isAbsent ? CLIP_OK : status
    }
    if isAbsent { return nil }
    guard size <= byteLimit else {
      throw ClipError(CLIP_LIMIT, "\(path(name)): expected at most \(byteLimit) bytes, found \(size)")
    }
    return UnsafeRawBufferPointer(start: data, count: data == nil ? 0 : size)
  }
}
