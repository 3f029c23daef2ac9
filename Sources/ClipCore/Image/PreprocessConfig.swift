/// How an image becomes the tower's input, from preprocessor_config.json or open_clip's preprocess_cfg.
struct PreprocessConfig {
  enum Resample { case nearest, bilinear, bicubic, lanczos }

  enum ResizeMode {
    /// Resize the shorter side to `resizeTo`, then crop the centre to width x height as torchvision does.
    case shortest
    /// Resize to fit inside width x height, then pad with `fill`.
    case longest
    /// Resize to cover width x height, then crop the centre. This is open_clip's `shortest` for a width
    /// and height that differ.
    case cover
    /// Resize to width x height, or to `squashTo`, without keeping the aspect ratio; then crop the centre.
    case squash
    /// Crop the centre without a resize.
    case none
  }

  var width: Int
  var height: Int
  /// The shorter side in pixels after the resize of `shortest`; usually the size of the crop.
  var resizeTo: Int
  /// Of `squash`, where it is not width x height.
  var squashTo: Sides?
  var mode: ResizeMode = .shortest
  /// Whether a margin that cannot be halved is cut and padded as transformers does: the smaller half first where pixels
  /// are cut, the larger first where they are added. torchvision rounds to even, and adds the smaller first.
  var cropsAsTransformers = false
  var resample: Resample = .bicubic
  /// Whether pixels stay floats from the resize to the normalisation.
  var resizesFloats = false
  /// Red, green, blue.
  var mean: [Float] = [0.48145466, 0.4578275, 0.40821073]
  var std: [Float] = [0.26862954, 0.26130258, 0.27577711]
  var fill: [UInt8] = [0, 0, 0]
  /// The factor of a pixel's 8-bit value before mean and std apply.
  var rescale: Float = 1.0 / 255.0

  /// Elements of one preprocessed image.
  var floats: Int { 3 * height * width }
}
