import CClip
import ClipPluginKit

/// The entries of a zip archive whose data is not compressed, as torch.save writes it (APPNOTE.TXT 6.3, with the 64-bit
/// extension). Offsets and sizes are checked against the file; checksums are not.
struct ZipArchive {
  struct Entry {
    let name: UnsafeBufferPointer<UInt8>
    /// Whether `data` is the content itself, neither compressed nor encrypted.
    let isStored: Bool
    let data: Range<Int>
  }

  let entries: [Entry]

  static func recognises(_ data: UnsafePointer<UInt8>, _ size: Int) -> Bool {
    size >= 4 && data[0] == 0x50 && data[1] == 0x4b && data[2] == 3 && data[3] == 4
  }

  init(_ file: UnsafeBufferPointer<UInt8>) throws(PluginFailure) {
    let directory = try ZipArchive.directory(file)
    var entries: [Entry] = []
    var at = directory.start
    for _ in 0..<directory.count {
      guard at + 46 <= directory.end, file.word32(at) == 0x0201_4b50 else {
        throw PluginFailure(CLIP_FORMAT, "zip directory: expected \(directory.count) entries, found \(entries.count)")
      }
      let nameSize = file.word16(at + 28)
      let extraSize = file.word16(at + 30)
      let end = at + 46 + nameSize + extraSize + file.word16(at + 32)
      guard end <= directory.end else { throw PluginFailure(CLIP_FORMAT, "zip directory: an entry leads out of it") }
      let name = UnsafeBufferPointer(rebasing: file[(at + 46)..<(at + 46 + nameSize)])
      let isStored = file.word16(at + 8) & 1 == 0 && file.word16(at + 10) == 0
      var size = file.word32(at + 24)
      var header = file.word32(at + 42)
      let packedSize = file.word32(at + 20)
      if size == 0xffff_ffff || header == 0xffff_ffff || packedSize == 0xffff_ffff {
        var field = ZipArchive.extra(file, (at + 46 + nameSize)..<(at + 46 + nameSize + extraSize))
        if size == 0xffff_ffff { size = try ZipArchive.next(file, &field) }
        if packedSize == 0xffff_ffff { _ = try ZipArchive.next(file, &field) }
        if header == 0xffff_ffff { header = try ZipArchive.next(file, &field) }
      }
      guard header <= file.count - 30, file.word32(header) == 0x0403_4b50 else {
        throw PluginFailure(CLIP_FORMAT, "zip entry \(text(name)): expected its header at \(header)")
      }
      let start = header + 30 + file.word16(header + 26) + file.word16(header + 28)
      // Of compressed data, such as TorchScript's code, only the name counts.
      if !isStored { size = 0 }
      guard start <= directory.start, size <= directory.start - start else {
        throw PluginFailure(CLIP_FORMAT, "zip entry \(text(name)): \(size) bytes at \(start) lead out of the file")
      }
      entries.append(Entry(name: name, isStored: isStored, data: start..<(start + size)))
      at = end
    }
    self.entries = entries
  }

  /// The range of the central directory, from the record at the end of the file.
  private static func directory(_ file: UnsafeBufferPointer<UInt8>) throws(PluginFailure) -> (
    start: Int, end: Int, count: Int
  ) {
    guard file.count >= 22 else {
      throw PluginFailure(CLIP_FORMAT, "expected a zip archive, found \(file.count) bytes")
    }
    // A comment of up to 65,535 bytes may follow the record.
    var record = file.count - 22
    let first = max(0, record - 65_535)
    while record >= first, file.word32(record) != 0x0605_4b50 { record -= 1 }
    guard record >= first else {
      throw PluginFailure(
        CLIP_FORMAT, "expected the directory of a zip archive at the end, found none: is the file cut short?")
    }
    var count = file.word16(record + 10)
    var size = file.word32(record + 12)
    var start = file.word32(record + 16)
    if count == 0xffff || size == 0xffff_ffff || start == 0xffff_ffff {
      guard record >= 20, file.word32(record - 20) == 0x0706_4b50, let long = file.size(record - 12),
        long <= record - 56, file.word32(long) == 0x0606_4b50, let longCount = file.size(long + 32),
        let longSize = file.size(long + 40), let longStart = file.size(long + 48)
      else { throw PluginFailure(CLIP_FORMAT, "expected the 64-bit directory of a zip archive, found none") }
      count = longCount
      size = longSize
      start = longStart
    }
    guard start <= record, size <= record - start, count <= size / 46 else {
      throw PluginFailure(
        CLIP_FORMAT, "zip directory: \(count) entries in \(size) bytes at \(start) lead out of the file")
    }
    return (start, start + size, count)
  }

  /// The 64-bit sizes in an entry's extra fields.
  private static func extra(_ file: UnsafeBufferPointer<UInt8>, _ all: Range<Int>) -> Range<Int> {
    var at = all.lowerBound
    while at + 4 <= all.upperBound {
      let end = at + 4 + file.word16(at + 2)
      if file.word16(at) == 1 { return (at + 4)..<min(end, all.upperBound) }
      at = end
    }
    return all.upperBound..<all.upperBound
  }

  private static func next(_ file: UnsafeBufferPointer<UInt8>, _ field: inout Range<Int>) throws(PluginFailure) -> Int {
    guard field.count >= 8, let size = file.size(field.lowerBound) else {
      throw PluginFailure(CLIP_FORMAT, "zip directory: expected an entry's 64-bit sizes, found none")
    }
    field = (field.lowerBound + 8)..<field.upperBound
    return size
  }
}

extension UnsafeBufferPointer<UInt8> {
  // Little-endian. The caller has checked the range.
  func word16(_ at: Int) -> Int { Int(self[at]) | Int(self[at + 1]) << 8 }
  func word32(_ at: Int) -> Int { word16(at) | word16(at + 2) << 16 }

  /// A 64-bit size; nil if it does not fit 63 bits.
  func size(_ at: Int) -> Int? {
    let high = word32(at + 4)
    return high < 1 << 31 ? word32(at) | high << 32 : nil
  }

  func equals(_ text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    for index in 0..<count where self[index] != text.utf8Start[index] { return false }
    return true
  }

  func equals(_ other: UnsafeBufferPointer<UInt8>) -> Bool {
    guard count == other.count else { return false }
    for index in 0..<count where self[index] != other[index] { return false }
    return true
  }
}

/// At most 60 bytes of a file, for messages.
func text(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
  String(decoding: UnsafeBufferPointer(rebasing: bytes.prefix(60)), as: UTF8.self)
}
