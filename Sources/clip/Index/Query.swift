import Glibc

/// A query: a weighted sum of texts and images, `"2:cat" + ./x.jpg - "dog"`, in rclip's syntax.
struct Query {
  struct Term {
    enum Kind { case text, image }

    let kind: Kind
    let value: ByteString
    /// Negative for a term that is subtracted; never 0.
    let weight: Float
  }

  let terms: [Term]

  /// Parses the arguments of the command line: terms, with "+" or "-" between them.
  init(_ arguments: [ByteString], endings: Set<String>) throws(CLIPError) {
    var terms: [Term] = []
    var sign: Float? = 1
    for argument in arguments {
      if argument == "+" || argument == "-" {
        guard sign == nil || terms.isEmpty else {
          throw CLIPError("the query has \(argument.text) where a text or an image was expected")
        }
        sign = argument == "+" ? 1 : -1
        continue
      }
      guard let factor = sign else {
        throw CLIPError(
          "the query has \(quoted(argument.text)) where + or - was expected: a text of several words is one argument, "
            + "in quotes")
      }
      terms.append(try Query.term(argument, factor, endings))
      sign = nil
    }
    guard sign == nil, !terms.isEmpty else {
      throw CLIPError("the query ends where a text or an image was expected")
    }
    self.terms = terms
  }

  /// Parses "text", "image.jpg", or either after "<weight>:".
  private static func term(_ argument: ByteString, _ sign: Float, _ endings: Set<String>) throws(CLIPError) -> Term {
    if let image = try image(argument, endings, mustExist: false) {
      return Term(kind: .image, value: image, weight: sign)
    }
    var (weight, value) = (sign, argument)
    if let colon = argument.bytes.firstIndex(of: UInt8(ascii: ":")), colon + 1 < argument.bytes.count,
      let factor = number(argument.bytes[..<colon])
    {
      guard factor > 0, factor.isFinite else {
        throw CLIPError("\(quoted(argument.text)) has the weight \(factor): expected a number above 0")
      }
      (weight, value) = (sign * factor, ByteString(argument.bytes[(colon + 1)...]))
    }
    if let image = try image(value, endings, mustExist: true) {
      return Term(kind: .image, value: image, weight: weight)
    }
    guard !value.bytes.isEmpty else { throw CLIPError("the query has an empty text") }
    return Term(kind: .text, value: value, weight: weight)
  }

  /// Digits with at most one decimal point; nil for anything else.
  private static func number(_ bytes: ArraySlice<UInt8>) -> Float? {
    let digits = bytes.filter { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    let points = bytes.count { $0 == UInt8(ascii: ".") }
    guard !digits.isEmpty, points <= 1, digits.count + points == bytes.count else { return nil }
    return Float("0" + String(decoding: bytes, as: UTF8.self) + (bytes.last == UInt8(ascii: ".") ? "0" : ""))
  }

  /// The argument if it is an image: a file with an image's ending, or any file after "/", "./" or "../". Throws if the
  /// argument is written like an image and there is no such file.
  private static func image(
    _ argument: ByteString, _ endings: Set<String>, mustExist: Bool
  ) throws(CLIPError) -> ByteString? {
    let isPath = ["/", "./", "../"].contains { argument.bytes.starts(with: Array($0.utf8)) }
    guard isPath || endings.contains(argument.fileExtension) else { return nil }
    var status = stat()
    guard argument.withCString({ stat($0, &status) }) == 0 else {
      // "The logo of example.png" is a text.
      guard mustExist, isPath || !argument.bytes.contains(UInt8(ascii: " ")) else { return nil }
      throw .system("the image \(argument.shown) of the query")
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw CLIPError("\(argument.shown) in the query is no file: expected a text or an image")
    }
    return argument
  }
}
