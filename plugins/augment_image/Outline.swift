import CClip
import CSystem
import ClipPluginKit

/// Draws lines at edges, as in a cartoon: where the morphological gradient (Rivest et al., 1993), the difference
/// between the largest and the smallest value of a channel around a pixel, is above a threshold.
struct Outline: ImageAugmentation {
  private let width: Interval
  private let strength: Interval
  private let threshold: Interval
  private let colour: Colour

  init(_ settings: Settings) throws(PluginFailure) {
    width = try settings.interval("width")
    strength = try settings.interval("strength")
    threshold = try settings.interval("threshold")
    colour = try Colour(settings.integers("value"), "value")
  }

  /// The range of differences above the threshold in which a line fades in.
  private static var ramp: Int { 32 }

  /// Draws the random width, then the strength, then the threshold.
  func apply(_ image: Pixels, _ sink: ImageSink, _ random: Random) throws(PluginFailure) {
    let radius = Int((width.draw(random) / 2).rounded())
    let strength = Int((256 * strength.draw(random)).rounded())
    let threshold = Int(threshold.draw(random).rounded())
    let raster = try sink.copy(of: image)
    let count = raster.width * 3
    let scratch = try Scratch(byteCount: 2 * count * raster.height)
    defer { withExtendedLifetime(scratch) {} }
    let low = scratch.base.assumingMemoryBound(to: UInt8.self)
    let high = low + count * raster.height
    for y in 0..<raster.height { findExtrema(raster.row(y), count, radius, low + y * count, high + y * count) }
    for y in 0..<raster.height {
      let lines = max(0, y - radius)...min(raster.height - 1, y + radius)
      let row = raster.row(y)
      for x in 0..<raster.width {
        var difference = 0
        for i in (x &* 3)..<(x &* 3 &+ 3) {
          var (least, most) = (UInt8.max, UInt8.min)
          for line in lines {
            least = min(least, low[line &* count &+ i])
            most = max(most, high[line &* count &+ i])
          }
          difference = max(difference, Int(most) - Int(least))
        }
        guard difference > threshold else { continue }
        let share = strength * min(Outline.ramp, difference - threshold) / Outline.ramp
        drawLine(row + x &* 3, share)
      }
    }
  }

  /// Finds the smallest and the largest value of each channel within `radius` pixels of each pixel of a row.
  private func findExtrema(
    _ row: UnsafePointer<UInt8>, _ count: Int, _ radius: Int, _ low: UnsafeMutablePointer<UInt8>,
    _ high: UnsafeMutablePointer<UInt8>
  ) {
    for i in 0..<count {
      var (least, most) = (UInt8.max, UInt8.min)
      var at = max(i % 3, i - radius * 3)
      while at <= min(count - 1, i + radius * 3) {
        least = min(least, row[at])
        most = max(most, row[at])
        at += 3
      }
      low[i] = least
      high[i] = most
    }
  }

  /// Blends the line's colour over a pixel; `share` is its weight of 256.
  private func drawLine(_ pixel: UnsafeMutablePointer<UInt8>, _ share: Int) {
    func over(_ under: UInt8, _ line: UInt8) -> UInt8 {
      UInt8(truncatingIfNeeded: (Int(under) * (256 - share) + Int(line) * share) >> 8)
    }
    pixel[0] = over(pixel[0], colour.red)
    pixel[1] = over(pixel[1], colour.green)
    pixel[2] = over(pixel[2], colour.blue)
  }
}
