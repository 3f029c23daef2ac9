import CClip
import ClipPluginKit

/// torchvision's Normalize takes floats alone, and a pipeline's pictures are bytes: a step of it is an
/// error that says where normalising is done.
func refuseToNormalize() throws(PluginFailure) -> ImageAugmentation {
  throw PluginFailure(
    CLIP_UNSUPPORTED,
    "a pipeline's pictures stay 8-bit, and normalising gives floats: leave this step out; the model normalises after "
      + "the pipeline, as the last step of its preprocessing, with its own mean and std")
}
