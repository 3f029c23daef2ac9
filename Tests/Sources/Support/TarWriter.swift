import Foundation

/// Writes tar archives block by block, well made or not.
public struct TarWriter {
  public private(set) var bytes = Data()

  public init() {}

  /// A header, with `change` at its 512 bytes before the checksum is set.
  public mutating func header(
    _ name: String, size: String, type: Character = "0", prefix: String = "", change: (inout [UInt8]) -> Void = { _ in }
  ) {
    var block = [UInt8](repeating: 0, count: 512)
    func put(_ text: String, at offset: Int) {
      for (index, byte) in text.utf8.enumerated() { block[offset + index] = byte }
    }
    put(String(name.prefix(100)), at: 0)
    put("0000644\0", at: 100)
    put(size, at: 124)
    put("00000000000\0", at: 136)
    put(String(type), at: 156)
    put("ustar\u{0}00", at: 257)
    put(prefix, at: 345)
    change(&block)
    for index in 148..<156 { block[index] = 32 }
    let sum = block.reduce(0) { $0 + Int($1) }
    let octal = String(sum, radix: 8)
    put(String(repeating: "0", count: 6 - octal.count) + octal + "\0", at: 148)
    bytes.append(contentsOf: block)
  }

  public mutating func file(_ name: String, _ data: Data, type: Character = "0", prefix: String = "") {
    let octal = String(data.count, radix: 8)
    header(name, size: String(repeating: "0", count: 11 - octal.count) + octal, type: type, prefix: prefix)
    self.data(data)
  }

  /// A member's data, to whole blocks.
  public mutating func data(_ data: Data) {
    bytes.append(data)
    bytes.append(Data(count: (512 - data.count % 512) % 512))
  }

  /// A pax header of these records for the next member.
  public mutating func pax(_ records: [(String, String)], global: Bool = false) {
    var text = ""
    for (key, value) in records {
      let rest = " \(key)=\(value)\n"
      var length = rest.utf8.count + 1
      while "\(length)".utf8.count + rest.utf8.count != length { length += 1 }
      text += "\(length)\(rest)"
    }
    file("PaxHeader", Data(text.utf8), type: global ? "g" : "x")
  }

  public mutating func raw(_ data: Data) { bytes.append(data) }

  /// The two blocks of zeros that end an archive.
  public mutating func end() { bytes.append(Data(count: 1024)) }
}
