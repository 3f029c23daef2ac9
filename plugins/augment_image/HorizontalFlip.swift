import CClip
import ClipPluginKit

/// torchvision's RandomHorizontalFlip. The probability is the step's.
final class HorizontalFlip: ImageAugmentation {
  override func apply(_ picture: Pixels, _ sink: ImageSink, _ random: Random) throws(PluginFailure) {
    let canvas = try sink.allocate(width: picture.width, height: picture.height, picture.format)
    let channels = picture.channels
    for y in 0..<picture.height {
      let source = picture.row(y)
      let target = canvas.row(y) + (picture.width - 1) * channels
      for x in 0..<picture.width {
        for channel in 0..<channels { target[channel - x * channels] = source[x * channels + channel] }
      }
    }
  }
}
