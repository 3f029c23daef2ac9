import ArgumentParser

extension Color: ExpressibleByArgument {
  /// "white", "black" or "#rrggbb".
  public init?(argument: String) {
    let digits = argument == "white" ? "ffffff" : argument == "black" ? "000000" : String(argument.dropFirst())
    guard argument == "white" || argument == "black" || argument.hasPrefix("#"), digits.utf8.count == 6,
      digits.allSatisfy(\.isHexDigit), let value = UInt32(digits, radix: 16)
    else { return nil }
    self.init(
      red: UInt8(truncatingIfNeeded: value >> 16), green: UInt8(truncatingIfNeeded: value >> 8),
      blue: UInt8(truncatingIfNeeded: value))
  }
}

/// Options of commands that embed image files.
struct ImageOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Lay transparent images over a colour: white, black or #rrggbb (default: transparency is dropped).",
      valueName: "colour"))
  var background: Color?

  @Flag(help: "Take images as they are stored, not upright as cameras note.")
  var asStored = false

  @Flag(help: "Keep what can be decoded of a damaged image.")
  var lenient = false

  /// The options of encoding, `batch` images at a time.
  func encode(batch: Int, threads: Int, raw: Bool = false) -> EncodeFilesOptions {
    var options = EncodeFilesOptions()
    options.batchSize = batch
    options.workers = threads
    options.image = Image.Options(asStored: asStored, lenient: lenient)
    options.encode = EncodeOptions(raw: raw, background: background)
    return options
  }
}
