import CClip
import CSystem

/// A hash of what decides the embeddings of a model folder.
struct Fingerprint {
  private var sums: (UInt64, UInt64) = (1, 2)
  private var fileCount = 0

  private static var endings: [Name] {
    [".json", ".safetensors", ".bin", ".pt", ".pth", ".model", ".txt"]
  }
  /// Larger files are read in blocks, one in each `step` bytes.
  private static var wholeBytes: Int { 1 << 20 }
  private static var blockBytes: Int { 4096 }
  private static var mostBlocks: Int { 8192 }
  private static var deepest: Int { 4 }

  init(_ folder: String) throws(ClipError) {
    let block = try Memory(byteCount: Fingerprint.wholeBytes, for: "a piece of a file")
    try add(folder, "", block, 0)
    guard fileCount > 0 else {
      throw ClipError(CLIP_NOT_FOUND, folder + ": expected files of a model, such as config.json, found none")
    }
  }

  /// 32 hexadecimal digits.
  var text: Name {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for sum in [sums.0, sums.1] {
      for place in 0..<16 { text.append(digits[Int(sum >> UInt64(60 - 4 * place) & 15)]) }
    }
    return Name(utf8: text)
  }

  private mutating func add(_ bytes: UnsafeRawBufferPointer) {
    sums = (checksum(bytes, seed: sums.0), checksum(bytes, seed: sums.1))
  }

  private mutating func add(_ folder: String, _ prefix: Name, _ block: Memory, _ depth: Int) throws(ClipError) {
    for name in try names(in: folder, endingIn: "") where name.utf8.first != UInt8(ascii: ".") {
      try requireMemory("a fingerprint")
      let path = join(folder, name)
      let isWanted = Fingerprint.endings.contains { name.hasSuffix($0) }
      guard isWanted || depth < Fingerprint.deepest else { continue }
      let kind = try FileKind(path)
      if kind == .folder, depth < Fingerprint.deepest {
        try add(path, prefix + name + "/", block, depth + 1)
      } else if kind == .file, isWanted {
        (prefix + name).utf8.withUnsafeBytes { add($0) }
        try add(file: path, block)
        fileCount += 1
      }
    }
  }

  private mutating func add(file path: String, _ block: Memory) throws(ClipError) {
    let descriptor = withPath(path) { csystem_open_read($0) }
    guard descriptor >= 0 else { throw systemError("cannot open " + path) }
    defer { close(descriptor) }
    var facts = stat()
    guard fstat(descriptor, &facts) == 0 else { throw systemError("cannot look at " + path) }
    let size = Int(facts.st_size)
    withUnsafeBytes(of: size) { add($0) }
    let isWhole = size <= Fingerprint.wholeBytes
    let step = isWhole ? Fingerprint.wholeBytes : max(128 << 10, size / Fingerprint.mostBlocks)
    var offset = 0
    while offset < size {
      let wanted = min(size - offset, isWhole ? size : Fingerprint.blockBytes)
      var done = 0
      while done < wanted {
        let count = pread(descriptor, block.base + done, wanted - done, offset + done)
        if count < 0, csystem_errno() == EINTR { continue }
        guard count >= 0 else { throw systemError("cannot read " + path) }
        guard count > 0 else {
          throw ClipError(CLIP_IO, path + ": expected \(size) bytes, found that it was cut short")
        }
        done += count
      }
      add(UnsafeRawBufferPointer(start: block.base, count: wanted))
      offset += step
    }
  }
}
