import CClip
import ClipPluginKit

/// torchvision's RandomHorizontalFlip.
struct HorizontalFlip: ImageAugmentation {
  init(_ settings: Settings) {}

  func apply(_ image: Pixels, _ sink: ImageSink, _ random: Random) throws(PluginFailure) {
    let canvas = try sink.allocate(width: image.width, height: image.height, image.format)
    let channels = image.channels
    for y in 0..<image.height {
      let source = image.row(y)
      let target = canvas.row(y) + (image.width - 1) * channels
      if channels == 3 {
        mirror(source, target, image.width, 3)
      } else {
        mirror(source, target, image.width, channels)
      }
    }
  }
}

/// Writes `count` pixels from `target` downwards. Inlined so that `channels` is a constant in the usual case.
@inline(__always)
private func mirror(
  _ source: UnsafePointer<UInt8>, _ target: UnsafeMutablePointer<UInt8>, _ count: Int, _ channels: Int
) {
  for x in 0..<count {
    for channel in 0..<channels { target[channel &- x &* channels] = source[x &* channels &+ channel] }
  }
}
