import ArgumentParser
import Glibc

struct Augment: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what an augmentation pipeline makes of an image or a text.",
    usage: """
      clip augment <image> [--pipeline <file>] [--seed <n>] [--count <n>] [--white] --output <file.png>
      clip augment --text <text> --pipeline <file> [--seed <n>] [--count <n>] [--output <file>]
      """,
    discussion: """
      An image's variants go on one contact sheet, a PNG file, those of a text are lines. Variant i is what \
      the pipeline makes with this seed and index i: what training sees.

        clip augment photo.jpg --output sheet.png
        clip augment photo.jpg --pipeline '[{"op": "rand_augment"}]' --seed 7 --output sheet.png
      """)

  @Argument(help: ArgumentHelp("The image.", valueName: "image"))
  var image: ByteString?

  @Option(help: ArgumentHelp("A text, instead of an image.", valueName: "text"))
  var text: ByteString?

  @Option(
    help: ArgumentHelp(
      "A file with the pipeline's JSON, the JSON itself, or default (images are augmented by that if none is given).",
      valueName: "file"))
  var pipeline: ByteString?

  @Option(help: ArgumentHelp("The seed of the random numbers.", valueName: "n"))
  var seed: UInt64 = 0

  @Option(help: ArgumentHelp("Variants to make, 1 to 1024.", valueName: "n"))
  var count = 16

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("The file to write; texts go to standard output without it.", valueName: "file"))
  var output: ByteString?

  @OptionGroup var background: BackgroundOptions
  @OptionGroup var common: CommonOptions

  mutating func validate() throws {
    guard (image == nil) != (text == nil) else {
      throw ValidationError("expected an image or --text, found \(text == nil ? "neither" : "both")")
    }
    guard (1...1024).contains(count) else { throw ValidationError("--count is \(count): expected 1 to 1024") }
    if text != nil && background.white { throw ValidationError("--white is for images") }
    if text != nil && pipeline == nil { throw ValidationError("expected --pipeline with --text") }
    if image != nil {
      guard let output else { throw ValidationError("expected --output, the PNG file to write") }
      guard output.fileExtension == "png" else {
        throw ValidationError("--output is \(output.shown): expected a name ending in .png")
      }
    }
  }

  func run() throws {
    if let output { try OutputFile.checkWritable(output) }
    let runtime = try common.runtime()
    let pipeline = try Pipeline(try json().utf8, runtime: runtime)
    if let text {
      try augment(try text.utf8, pipeline)
    } else if let image, let output {
      let image = try Image(path: image.bytes, runtime: runtime)
      try augment(background.white ? try overWhite(image) : image, pipeline, runtime, output)
    }
  }

  /// The JSON of the pipeline: the value of --pipeline, or the file that it names.
  private func json() throws(CLIPError) -> ByteString {
    guard let pipeline, pipeline.text != "default" else { return ByteString("\"default\"") }
    if pipeline.bytes.first == UInt8(ascii: "[") { return pipeline }
    var bytes: [UInt8] = []
    for line in try TextLines.read(pipeline) { bytes += line.bytes + [UInt8(ascii: "\n")] }
    return ByteString(bytes)
  }

  private func augment(_ image: Image, _ pipeline: Pipeline, _ runtime: Runtime, _ output: ByteString)
    throws
  {
    var variants: [Image] = []
    for index in 0..<count {
      let variant = try pipeline.augment(image, seed: seed, index: UInt64(index))
      variants.append(try shrunk(variant, runtime))
    }
    let sheet = ContactSheet(variants)
    try OutputFile.write(to: output) { writer throws(CLIPError) in
      try PNGWriter.write(sheet.pixels, width: sheet.width, height: sheet.height, to: writer)
    }
    if common.json {
      try StandardOutput.write([
        "output": .string(output.text), "count": .integer(count), "width": .integer(sheet.width),
        "height": .integer(sheet.height),
      ])
    } else {
      try StandardOutput.write(
        "Wrote \(output.shown): \(counted(count, "variant")), \(sheet.width) x \(sheet.height) pixels.\n")
    }
  }

  /// Composites an image with alpha over white, with the same result as a data set.
  private func overWhite(_ image: Image) throws(CLIPError) -> Image {
    guard image.format == .rgba else { return image }
    let bytes = image.bytes
    var opaque: [UInt8] = []
    opaque.reserveCapacity(bytes.count / 4 * 3)
    for pixel in stride(from: 0, to: bytes.count, by: 4) {
      let alpha = Int(bytes[pixel + 3])
      for channel in 0..<3 {
        opaque.append(UInt8((Int(bytes[pixel + channel]) * alpha + 255 * (255 - alpha) + 127) / 255))
      }
    }
    return try Image(width: image.width, height: image.height, bytes: opaque)
  }

  /// The image, shrunk to the size that a contact sheet accepts.
  private func shrunk(_ image: Image, _ runtime: Runtime) throws(CLIPError) -> Image {
    let side = max(image.width, image.height)
    guard side > ContactSheet.longest else { return image }
    let (width, height) = (
      max(1, image.width * ContactSheet.longest / side), max(1, image.height * ContactSheet.longest / side)
    )
    let ratio = Double(image.width) / Double(image.height)
    let whole = """
      [{"op": "random_resized_crop", "size": [\(height), \(width)], "scale": [1, 1], "ratio": [\(ratio), \(ratio)], \
      "interpolation": "bicubic"}]
      """
    return try Pipeline(whole, runtime: runtime).augment(image, seed: 0, index: 0)
  }

  private func augment(_ text: String, _ pipeline: Pipeline) throws {
    var variants: [String] = []
    for index in 0..<count { variants.append(try pipeline.augment(text, seed: seed, index: UInt64(index))) }
    if let output {
      try OutputFile.write(to: output) { writer throws(CLIPError) in
        for variant in variants { try writer.write(variant + "\n") }
      }
    } else if common.json {
      try StandardOutput.write(["texts": .strings(variants)])
    } else {
      try StandardOutput.write(variants.map { $0 + "\n" }.joined())
    }
  }
}
