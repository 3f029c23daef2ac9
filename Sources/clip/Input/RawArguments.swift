/// Encodes arguments that are not valid UTF-8 for the argument parser, which only takes Strings.
///
/// A byte b that is not part of valid UTF-8 becomes the private-use character U+10FF00 + b. If an argument contains
/// such a character itself, its four bytes are encoded the same way, so the encoding is unambiguous.
enum RawArguments {
  private static let first: UInt32 = 0x10FF80
  /// The characters that encode a byte.
  static let carried: ClosedRange<Unicode.Scalar> = "\u{10FF80}"..."\u{10FFFF}"
  private static let base: UInt32 = 0x10FF00

  /// The program's arguments without its name.
  static func encoded() -> [String] {
    var arguments: [String] = []
    let count = Int(CommandLine.argc)
    for index in stride(from: 1, to: count, by: 1) {
      guard let pointer = CommandLine.unsafeArgv[index] else { break }
      var bytes: [UInt8] = []
      var position = 0
      while pointer[position] != 0 {
        bytes.append(UInt8(bitPattern: pointer[position]))
        position += 1
      }
      arguments.append(encoded(bytes))
    }
    return arguments
  }

  static func encoded(_ bytes: [UInt8]) -> String {
    var scalars = String.UnicodeScalarView()
    var position = 0
    while position < bytes.count {
      let length = sequenceLength(bytes[position])
      let end = position + length
      if length > 0, end <= bytes.count,
        let scalar = String(validating: bytes[position..<end], as: UTF8.self)?.unicodeScalars.first,
        scalar.value < first
      {
        scalars.append(scalar)
        position = end
      } else {
        if let carried = Unicode.Scalar(base + UInt32(bytes[position])) { scalars.append(carried) }
        position += 1
      }
    }
    // Such a character has 4 bytes of at least 0x80, each of which the loop above encodes.
    return String(scalars)
  }

  static func decoded(_ argument: String) -> [UInt8] {
    var bytes: [UInt8] = []
    for scalar in argument.unicodeScalars {
      if scalar.value >= first {
        bytes.append(UInt8(truncatingIfNeeded: scalar.value))
      } else {
        bytes += Array(UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
      }
    }
    return bytes
  }

  /// A message about arguments, with the original bytes.
  static func readable(_ message: String) -> String {
    String(decoding: decoded(message), as: UTF8.self)
  }

  /// The length of the UTF-8 sequence that starts with `lead`; 0 if none does.
  private static func sequenceLength(_ lead: UInt8) -> Int {
    switch lead {
    case 0x00..<0x80: 1
    case 0xC2..<0xE0: 2
    case 0xE0..<0xF0: 3
    case 0xF0..<0xF5: 4
    default: 0
    }
  }
}
