@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

@Suite struct CodecTests {
  let runtime: Runtime
  init() throws { runtime = try Runtime() }

  static let folder = Paths.fixtures.appending(path: "codecs")
  static var names: [String] {
    get throws {
      try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { !$0.hasSuffix(".safetensors") }.sorted()
    }
  }

  /// Red, green, blue, alpha of pixels with 1, 3 or 4 channels.
  static func rgba(_ bytes: [UInt8], channels: Int) -> [UInt8] {
    if channels == 4 { return bytes }
    var result: [UInt8] = []
    for i in stride(from: 0, to: bytes.count, by: channels) {
      for channel in 0..<3 { result.append(bytes[i + channel % channels]) }
      result.append(255)
    }
    return result
  }

  /// Every kind of file against what Pillow decodes it to.
  @Test func decodesEveryKind() throws {
    let stored = try Safetensors.read(Self.folder.appending(path: "decoded.safetensors"))
    #expect(stored.count == (try Self.names.count))
    for (name, want) in stored {
      // Pillow reads pixels as they are stored.
      let image = try Image(
        Self.folder.appending(path: name).path, runtime: runtime, options: .init(asStored: true))
      #expect([image.height, image.width] == Array(want.shape.prefix(2)), "\(name)")
      let wanted = Self.rgba(Array(want.data), channels: want.shape.count == 2 ? 1 : want.shape[2])
      let got = Self.rgba(image.bytes, channels: image.format.channels)
      let bound = name.hasSuffix(".png") || name.hasPrefix("lossless") || name == "alpha.webp" ? 0 : 2
      let worst = got.count == wanted.count ? zip(got, wanted).map { abs(Int($0) - Int($1)) }.max() ?? 0 : 256
      #expect(worst <= bound, "\(name): off by \(worst)")
    }
  }

  /// Sides and bytes are those of the upright image, whichever way it is stored.
  @Test func imagesAreUpright() throws {
    let photos = Paths.fixtures.appending(path: "photos")
    let upright = try runtime.load(photos.appending(path: "upright.png"))
    for orientation in 1...8 {
      let image = try runtime.load(photos.appending(path: "o\(orientation).png"))
      #expect(image.width == upright.width && image.height == upright.height)
      #expect(image.bytes == upright.bytes, "orientation \(orientation)")
      let stored = try Image(
        photos.appending(path: "o\(orientation).png").path, runtime: runtime, options: .init(asStored: true))
      let turned = try Image(
        width: stored.width, height: stored.height, format: stored.format, orientation: orientation, bytes: stored.bytes
      )
      #expect(turned.bytes == upright.bytes, "orientation \(orientation)")
    }
  }

  @Test func memoryAndFileAgree() throws {
    for name in try Self.names {
      let url = Self.folder.appending(path: name)
      #expect(try runtime.load(url).bytes == runtime.decode(Data(contentsOf: url)).bytes, "\(name)")
    }
  }

  /// A file cut short is an error: never a crash, never half an image.
  @Test func cutsAreErrors() throws {
    for name in try Self.names {
      let file = try Data(contentsOf: Self.folder.appending(path: name))
      let whole = try runtime.decode(file).bytes
      let cuts = Set(stride(from: 1, to: file.count, by: max(1, file.count / 97))).union(
        max(1, file.count - 40)..<file.count)
      for cut in cuts.sorted() {
        do {
          // Only what trails the pixels may be missing.
          let image = try runtime.decode(file.prefix(cut))
          #expect(image.bytes == whole, "\(name) cut at \(cut) of \(file.count)")
          #expect(cut >= file.count - 40, "\(name) cut at \(cut) of \(file.count)")
        } catch let failure as CLIPError {
          #expect([CLIPStatus.format, .unsupported].contains(failure.status), "\(name) cut at \(cut): \(failure)")
          #expect(!failure.message.isEmpty)
        }
      }
    }
  }

  /// Bytes changed at random: any answer but a crash.
  @Test func spoiledBytesNeverCrash() throws {
    var numbers = Numbers(2)
    for name in try Self.names {
      let file = try Data(contentsOf: Self.folder.appending(path: name))
      for _ in 0..<60 {
        var spoiled = file
        for _ in 0..<(1 + Int(numbers.next() % 4)) {
          spoiled[Int(numbers.next() % UInt64(file.count))] = UInt8(truncatingIfNeeded: numbers.next())
        }
        do { _ = try runtime.decode(spoiled) } catch let failure as CLIPError { #expect(!failure.message.isEmpty) }
      }
    }
  }

  @Test func whatIsNoImageIsNamed() throws {
    for data in [Data("GIF89a, but not really".utf8), Data(repeating: 0, count: 100), Data([1])] {
      let failure = #expect(throws: CLIPError.self) { try runtime.decode(data) }
      #expect([CLIPStatus.format, .unsupported].contains(failure?.status))
    }
    let folder = try TemporaryFolder()
    let missing = #expect(throws: CLIPError.self) { try runtime.load(folder.file("no.png")) }
    #expect(missing?.status == .notFound)
    #expect(missing?.message.contains("no.png") == true)
    let directory = #expect(throws: CLIPError.self) { try runtime.load(folder.url) }
    #expect([CLIPStatus.io, CLIPStatus.format, CLIPStatus.invalidArgument].contains(directory?.status))
    try Data().write(to: folder.file("empty.png"))
    #expect(throws: CLIPError.self) { try runtime.load(folder.file("empty.png")) }
    try Data("not an image".utf8).write(to: folder.file("text.jpg"))
    let text = #expect(throws: CLIPError.self) { try runtime.load(folder.file("text.jpg")) }
    #expect(text?.message.contains("text.jpg") == true)
  }

  /// Headers that promise more pixels than the limit are refused before memory is taken.
  @Test func bombsAreRefused() throws {
    // PNG: 100,000 x 100,000.
    var header = Data("IHDR".utf8)
    for side in [UInt32(100_000), 100_000] { header += withUnsafeBytes(of: side.bigEndian) { Data($0) } }
    header += Data([8, 2, 0, 0, 0])
    var png = Data([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13]) + header
    png += withUnsafeBytes(of: checksum(header).bigEndian) { Data($0) }
    png += Data([0, 0, 0, 0]) + Data("IDAT".utf8)
    // JPEG: 60,000 x 60,000 in the frame header of a real file.
    var jpeg = try Data(contentsOf: Self.folder.appending(path: "444.jpg"))
    let frame = try #require(jpeg.range(of: Data([0xff, 0xc0]))).lowerBound
    jpeg.replaceSubrange(frame + 5..<frame + 9, with: [0xea, 0x60, 0xea, 0x60])
    // WebP, lossless: 16,384 x 16,384, a signature and fourteen bits of each side less one.
    var webp = try Data(contentsOf: Self.folder.appending(path: "lossless.webp"))
    let chunk = try #require(webp.range(of: Data("VP8L".utf8))).lowerBound
    webp.replaceSubrange(chunk + 9..<chunk + 13, with: [0xff, 0xff, 0xff, webp[chunk + 12] | 0x0f])
    for (name, data) in [("png", png), ("jpeg", jpeg), ("webp", webp)] {
      let failure = #expect(throws: CLIPError.self, "\(name)") { try runtime.decode(data) }
      #expect(failure?.status == .limit, "\(name): \(String(describing: failure))")
    }
  }

  @Test func theCallersLimitHolds() throws {
    let file = try Data(contentsOf: Self.folder.appending(path: "rgb8.png"))
    _ = try Runtime(maxImagePixels: 47 * 33).decode(file)
    let failure = #expect(throws: CLIPError.self) { try Runtime(maxImagePixels: 47 * 33 - 1).decode(file) }
    #expect(failure?.status == .limit)
    let small = try Runtime(maxImagePixels: 99)
    let model = try Model(Paths.emoji, runtime: small)
    let image = try Image(width: 10, height: 10, format: .gray, bytes: [UInt8](repeating: 0, count: 100))
    let preprocess = #expect(throws: CLIPError.self) { try model.preprocess([image]) }
    #expect(preprocess?.status == .limit)
  }

  /// PNG's CRC-32.
  private func checksum(_ data: Data) -> UInt32 {
    ~data.reduce(UInt32.max) { crc, byte in
      (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in (crc >> 1) ^ (crc & 1 == 0 ? 0 : 0xedb8_8320) }
    }
  }
}
