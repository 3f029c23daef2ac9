import CClip
import ClipPluginKit

/// torchvision's RandomHorizontalFlip.
final class HorizontalFlip: ImageAugmentation {
  override func apply(_ picture: Pixels, _ sink: ImageSink, _ random: Random) throws(PluginFailure) {
    let canvas = try sink.allocate(width: picture.width, height: picture.height, picture.format)
    let channels = picture.channels
    for y in 0..<picture.height {
      let source = picture.row(y)
      let target = canvas.row(y) + (picture.width - 1) * channels
      if channels == 3 {
        mirror(source, target, picture.width, 3)
      } else {
        mirror(source, target, picture.width, channels)
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
