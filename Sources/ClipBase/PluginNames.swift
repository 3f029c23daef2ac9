/// The rules for names that plugins choose.
package enum PluginNames {
  /// Keys of a pipeline step. No setting may have one of these names.
  package static var reserved: [Name] { ["op", "p", "weight", "one_of", "sequence"] }

  /// 1 to 200 of a-z, 0-9, '.' and '-'.
  package static func isID(_ name: Name) -> Bool {
    !name.isEmpty && name.utf8.count <= 200
      && name.utf8.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
  }

  /// 1 to 100 of a-z, 0-9 and '_': ops of pipelines and their settings.
  package static func isWord(_ name: Name) -> Bool {
    !name.isEmpty && name.utf8.count <= 100
      && name.utf8.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "_") }
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }
}

/// A number for messages: an integer without ".0".
package func plain(_ number: Double) -> String {
  if let whole = Int(exactly: number) { return "\(whole)" }
  return "\(number)"
}
