import CClip
import CSystem
import ClipPluginKit

/// RGB pixels that an augmentation reads and writes.
struct Raster {
  let base: UnsafeMutablePointer<UInt8>
  let width: Int
  let height: Int
  /// Bytes from one row to the next.
  let stride: Int

  init(base: UnsafeMutablePointer<UInt8>, width: Int, height: Int, stride: Int) {
    self.base = base
    self.width = width
    self.height = height
    self.stride = stride
  }

  /// A view of an image, which must not be written to.
  init(viewing image: Pixels) {
    self.init(
      base: UnsafeMutablePointer(mutating: image.base), width: image.width, height: image.height,
      stride: image.stride)
  }

  func row(_ y: Int) -> UnsafeMutablePointer<UInt8> { base + y * stride }

  /// Copies the pixels of an image of the same size.
  func copy(_ source: UnsafePointer<UInt8>, stride sourceStride: Int) {
    for y in 0..<height { memcpy(row(y), source + y * sourceStride, width * 3) }
  }

  /// Sets all pixels to one colour.
  func fill(_ colour: Colour) {
    for y in 0..<height {
      let row = row(y)
      for x in 0..<width {
        row[x &* 3] = colour.red
        row[x &* 3 &+ 1] = colour.green
        row[x &* 3 &+ 2] = colour.blue
      }
    }
  }
}

extension ImageSink {
  /// Allocates a result of this size.
  func raster(width: Int, height: Int) throws(PluginFailure) -> Raster {
    let canvas = try allocate(width: width, height: height, CLIP_PIXELS_RGB)
    return Raster(base: canvas.base, width: width, height: height, stride: canvas.stride)
  }

  /// Allocates a result and copies `image` to it.
  func copy(of image: Pixels) throws(PluginFailure) -> Raster {
    let raster = try raster(width: image.width, height: image.height)
    raster.copy(image.base, stride: image.stride)
    return raster
  }
}

/// Working memory of one call.
final class Scratch {
  let base: UnsafeMutableRawPointer

  convenience init(byteCount: Int) throws(PluginFailure) {
    guard byteCount >= 0, let base = malloc(max(byteCount, 16)) else {
      throw PluginFailure(CLIP_OUT_OF_MEMORY, "no memory for \(byteCount) bytes")
    }
    self.init(base)
  }

  private init(_ base: UnsafeMutableRawPointer) { self.base = base }

  deinit { free(base) }

  /// A copy of a raster, valid as long as its memory.
  static func copy(of raster: Raster) throws(PluginFailure) -> (scratch: Scratch, raster: Raster) {
    let scratch = try Scratch(byteCount: raster.height * raster.width * 3)
    let pixels = scratch.base.assumingMemoryBound(to: UInt8.self)
    let copy = Raster(base: pixels, width: raster.width, height: raster.height, stride: raster.width * 3)
    copy.copy(raster.base, stride: raster.stride)
    return (scratch, copy)
  }
}

/// A lookup table for loops over pixels, in which the checks of an array and the copies of an InlineArray cost time.
final class Table<Element: BitwiseCopyable> {
  let base: UnsafeMutablePointer<Element>

  init(_ count: Int, _ value: (Int) -> Element) {
    base = UnsafeMutablePointer.allocate(capacity: count)
    for index in 0..<count { (base + index).initialize(to: value(index)) }
  }

  deinit { base.deallocate() }
}

struct Colour {
  let red: UInt8
  let green: UInt8
  let blue: UInt8

  /// From one number, for gray, or three.
  init(_ numbers: [Int], _ name: StaticString) throws(PluginFailure) {
    guard numbers.count == 1 || numbers.count == 3 else {
      throw PluginFailure(CLIP_INVALID_ARGUMENT, "\(name): expected 1 or 3 numbers, found \(numbers.count)")
    }
    red = UInt8(clamping: numbers[0])
    green = UInt8(clamping: numbers[numbers.count / 2])
    blue = UInt8(clamping: numbers[numbers.count - 1])
  }

  /// Channel 0 to 2.
  subscript(channel: Int) -> UInt8 { channel == 0 ? red : channel == 1 ? green : blue }
}

/// Python's round: to the nearest integer, halves to even. `value` must be far below 2^53.
func rounded(_ value: Double) -> Int { Int(exactly: value.rounded(.toNearestOrEven)) ?? 0 }
