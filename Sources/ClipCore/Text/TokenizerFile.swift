import CClip
import CSystem

/// Reads the files of a tokenizer, with a limit on their size.
enum TokenizerFile {
  static func exists(_ path: String) throws(ClipError) -> Bool { try FileKind(path) != .absent }

  /// The size limit of a file with `vocabularySize` tokens. Parsing takes several times the file's size in memory.
  static func byteLimit(_ vocabularySize: Int) -> Int { max(1 << 20, min(vocabularySize, 1 << 20) * 256) }

  static func json(_ path: String, _ byteLimit: Int) throws(ClipError) -> JSON {
    let file = try contents(path, byteLimit)
    defer { withExtendedLifetime(file) {} }
    return try JSON.parse(file.bytes, place: path)
  }

  static func contents(_ path: String, _ byteLimit: Int) throws(ClipError) -> MappedFile {
    let file = try MappedFile(path: path)
    guard file.bytes.count <= byteLimit else {
      throw ClipError(CLIP_LIMIT, "\(path): expected at most \(byteLimit) bytes, found \(file.bytes.count)")
    }
    return file
  }
}
