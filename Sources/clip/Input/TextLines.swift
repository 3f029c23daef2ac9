import Glibc

/// The texts of a file, one on each line. The last line needs no newline, an empty line is the empty text, and a byte
/// order mark and carriage returns at line ends are dropped.
enum TextLines {
  /// Reads the file at `path`, or standard input for "-". With `splitsAtNUL`, if there is any NUL, texts end with NUL
  /// and may contain newlines, as `find -print0` writes them.
  static func read(_ path: ByteString, splitsAtNUL: Bool = false) throws(CLIPError) -> [ByteString] {
    let isInput = path.bytes == [UInt8(ascii: "-")]
    let name = isInput ? "standard input" : path.shown
    let descriptor = isInput ? STDIN_FILENO : path.withCString { open($0, O_RDONLY | O_CLOEXEC) }
    guard descriptor >= 0 else { throw .system("cannot open \(name)") }
    defer { if !isInput { close(descriptor) } }
    let bytes = try readAll(descriptor, name)
    if splitsAtNUL, bytes.contains(0) { return bytes.split(separator: 0).map { ByteString($0) } }
    let lines = split(bytes)
    for (index, line) in lines.enumerated() where line.bytes.contains(0) {
      throw CLIPError("line \(index + 1) of \(name) holds a NUL byte: expected UTF-8 text")
    }
    guard !lines.isEmpty else { throw CLIPError("\(name) is empty: expected one text a line") }
    return lines
  }

  private static func readAll(_ descriptor: Int32, _ name: String) throws(CLIPError) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw .system("cannot read \(name)") }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
    }
  }

  static func split(_ bytes: [UInt8]) -> [ByteString] {
    var rest = bytes[...]
    if rest.starts(with: [0xEF, 0xBB, 0xBF]) { rest = rest.dropFirst(3) }
    if rest.last == UInt8(ascii: "\n") { rest = rest.dropLast() } else if rest.isEmpty { return [] }
    return rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { line in
      ByteString(line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
    }
  }
}
