import CClip
import ClipPluginKit

/// torchvision's Normalize works on floats, but the pictures of a pipeline are bytes. The step exists to say where
/// normalisation happens.
func refuseToNormalize() throws(PluginFailure) -> ImageAugmentation {
  throw PluginFailure(
    CLIP_UNSUPPORTED,
    "expected a step for 8-bit pictures, found one that makes floats: leave it out; the model normalises after the "
      + "pipeline, as the last step of its preprocessing, with its own mean and std")
}
