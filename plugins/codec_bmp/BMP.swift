import CClip
import ClipPluginKit

/// BMP of Windows and OS/2 ([MS-WMF] 2.2.2.9, BITMAPINFOHEADER and its successors).

func recognises(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
  guard let data, size >= 26 else { return 0 }
  // The size of the second header distinguishes an image from text that begins with "BM".
  let header = Int(data[14]) | Int(data[15]) << 8
  return data[0] == 0x42 && data[1] == 0x4d && data[16] == 0 && data[17] == 0
    && [12, 40, 52, 56, 64, 108, 124].contains(header)
    ? 1 : 0
}

func readHeader(_ data: UnsafeBufferPointer<UInt8>, _ request: DecodeRequest) throws(PluginFailure) -> ImageHeader {
  try Bitmap(data).header
}

func decode(_ data: UnsafeBufferPointer<UInt8>, _ target: DecodeTarget) throws(PluginFailure) {
  let bitmap = try Bitmap(data)
  try target.check(bitmap.header)
  if bitmap.compression == 1 || bitmap.compression == 2 { return try bitmap.decodeRuns(target) }
  try bitmap.decodeRows(target)
}

private struct Bitmap {
  let data: UnsafeBufferPointer<UInt8>
  let width: Int
  let height: Int
  /// Whether the first row in the file is the top one.
  let isTopDown: Bool
  let bits: Int
  /// 0: none, 1: run lengths of bytes, 2: run lengths of 4-bit values, 3: masks.
  let compression: Int
  /// The masks of red, green, blue and alpha in a pixel of 16 or 32 bits; 0 for no alpha.
  private let masks: [UInt32]
  private let palette: Range<Int>
  private let paletteStep: Int
  private let pixels: Int

  var header: ImageHeader {
    ImageHeader(width: width, height: height, format: masks[3] != 0 ? CLIP_PIXELS_RGBA : CLIP_PIXELS_RGB)
  }

  init(_ data: UnsafeBufferPointer<UInt8>) throws(PluginFailure) {
    self.data = data
    func word(_ at: Int) -> Int { at + 2 <= data.count ? Int(data[at]) | Int(data[at + 1]) << 8 : 0 }
    func long(_ at: Int) -> Int { word(at) | word(at + 2) << 16 }
    let size = long(14)
    guard data.count >= 14 + size else {
      throw PluginFailure(CLIP_FORMAT, "the file is cut short in its header (\(data.count) bytes)")
    }
    let isOld = size == 12
    let rows = isOld ? word(20) : Int(Int32(truncatingIfNeeded: long(22)))
    width = isOld ? word(18) : Int(Int32(truncatingIfNeeded: long(18)))
    height = abs(rows)
    isTopDown = rows < 0
    bits = word(isOld ? 24 : 28)
    compression = isOld ? 0 : long(30)
    guard width > 0, height > 0, width <= 1 << 20, height <= 1 << 20 else {
      throw PluginFailure(CLIP_FORMAT, "expected sides from 1 to 1048576, found \(width) x \(rows)")
    }
    let isKnown =
      switch compression {
      case 0: [1, 4, 8, 16, 24, 32].contains(bits)
      case 1: bits == 8 && !isTopDown
      case 2: bits == 4 && !isTopDown
      case 3, 6: bits == 16 || bits == 32
      default: false
      }
    guard isKnown else {
      throw PluginFailure(CLIP_UNSUPPORTED, "\(bits) bits a pixel with compression \(compression) are not read")
    }
    let hasMasks = compression == 3 || compression == 6
    guard !hasMasks || data.count >= 70 else {
      throw PluginFailure(CLIP_FORMAT, "the file is cut short in its masks (\(data.count) bytes)")
    }
    if hasMasks {
      let alpha = size >= 56 || compression == 6 ? UInt32(long(66)) : 0
      masks = [UInt32(long(54)), UInt32(long(58)), UInt32(long(62)), alpha]
    } else {
      masks = bits == 16 ? [0x7c00, 0x3e0, 0x1f, 0] : [0xff_0000, 0xff00, 0xff, 0]
    }
    paletteStep = isOld ? 3 : 4
    pixels = long(10)
    let start = 14 + size + (hasMasks && size == 40 ? 12 : 0)
    let used = isOld ? 0 : long(46)
    let count = bits > 8 ? 0 : used == 0 ? 1 << bits : min(used, 1 << bits)
    palette = start..<min(data.count, start + count * paletteStep)
    guard pixels <= data.count else {
      throw PluginFailure(
        CLIP_FORMAT, "the pixels begin at \(pixels), behind the end of the file (\(data.count) bytes)")
    }
  }

  /// Writes the colour of a palette entry, or black if the file lacks it.
  private func write(_ index: Int, _ target: UnsafeMutablePointer<UInt8>) {
    let at = palette.lowerBound + index * paletteStep
    guard at + 3 <= palette.upperBound else { return target.update(repeating: 0, count: 3) }
    (target[0], target[1], target[2]) = (data[at + 2], data[at + 1], data[at])
  }

  private func row(_ y: Int, _ target: DecodeTarget) -> UnsafeMutablePointer<UInt8> {
    target.pixels + (isTopDown ? y : height - 1 - y) * target.stride
  }

  func decodeRows(_ target: DecodeTarget) throws(PluginFailure) {
    let rowBytes = (width * bits + 31) / 32 * 4
    let needed = rowBytes * (height - 1) + (width * bits + 7) / 8
    if target.request.isLenient { target.clear() }
    guard target.request.isLenient || needed <= data.count - pixels else {
      throw PluginFailure(CLIP_FORMAT, "the file is cut short: \(needed) bytes of pixels, found \(data.count - pixels)")
    }
    for y in 0..<height {
      let start = pixels + y * rowBytes
      guard start + (width * bits + 7) / 8 <= data.count else { return }
      var out = row(y, target)
      for x in 0..<width {
        switch bits {
        case 1, 4, 8:
          let byte = Int(data[start + x * bits / 8])
          write(byte >> (8 - bits - x * bits % 8) & (1 << bits - 1), out)
        case 24:
          let at = start + x * 3
          (out[0], out[1], out[2]) = (data[at + 2], data[at + 1], data[at])
        default:
          let at = start + x * bits / 8
          var pixel = UInt32(data[at]) | UInt32(data[at + 1]) << 8
          if bits == 32 { pixel |= UInt32(data[at + 2]) << 16 | UInt32(data[at + 3]) << 24 }
          for channel in 0..<header.channels { out[channel] = Bitmap.scaled(pixel, masks[channel]) }
        }
        out += header.channels
      }
    }
  }

  /// Scales the bits of a mask to 0 to 255.
  private static func scaled(_ pixel: UInt32, _ mask: UInt32) -> UInt8 {
    guard mask != 0 else { return 0 }
    let low = UInt32(mask.trailingZeroBitCount)
    let largest = mask >> low
    return UInt8(clamping: (UInt64(pixel & mask) >> UInt64(low)) * 255 / UInt64(largest))
  }

  /// Decodes runs and literals of palette entries, row by row. Skipped pixels are entry 0.
  func decodeRuns(_ target: DecodeTarget) throws(PluginFailure) {
    for y in 0..<height { for x in 0..<width { write(0, row(y, target) + x * 3) } }
    var at = pixels
    var (x, y) = (0, 0)
    func put(_ index: Int) {
      if x < width, y < height { write(index, row(y, target) + x * 3) }
      x += 1
    }
    while at + 2 <= data.count, y < height {
      let (count, value) = (Int(data[at]), Int(data[at + 1]))
      at += 2
      if count > 0 {
        for index in 0..<count { put(bits == 8 ? value : index % 2 == 0 ? value >> 4 : value & 15) }
        continue
      }
      switch value {
      case 0: (x, y) = (0, y + 1)
      case 1: return
      case 2:
        guard at + 2 <= data.count else { break }
        x += Int(data[at])
        y += Int(data[at + 1])
        at += 2
      default:
        let bytes = (value * bits + 7) / 8
        guard at + bytes <= data.count else { break }
        for index in 0..<value {
          let byte = Int(data[at + index * bits / 8])
          put(bits == 8 ? byte : index % 2 == 0 ? byte >> 4 : byte & 15)
        }
        at += (bytes + 1) / 2 * 2
      }
    }
    guard y >= height || target.request.isLenient else {
      throw PluginFailure(CLIP_FORMAT, "the file is cut short: no end after \(y) of \(height) rows")
    }
  }
}
