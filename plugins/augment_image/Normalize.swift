import CClip
import ClipPluginKit

/// torchvision's Normalize works on floats, but the images of a pipeline are bytes. The step exists to say where
/// normalisation happens.
struct Normalize: ImageAugmentation {
  init(_ settings: Settings) throws(PluginFailure) {
    throw PluginFailure(
      CLIP_UNSUPPORTED,
      "expected a step for 8-bit images, found one that makes floats: leave it out; the model normalises after the "
        + "pipeline, as the last step of its preprocessing, with its own mean and std")
  }

  func apply(_ image: Pixels, _ sink: ImageSink, _ random: Random) {}
}
