/// How an image becomes the tower's input: what preprocessor_config.json or open_clip's
/// preprocess_cfg says, with names brought together.
struct PreprocessConfig {
  enum Resample { case nearest, bilinear, bicubic, lanczos }

  enum ResizeMode {
    /// The shorter side to `resizeTo`, then torchvision's centre crop to width x height.
    case shortest
    /// The longer side fits, then the rest is filled with `fill`.
    case longest
    /// Both sides are at least width x height, then the centre crop: what open_clip does for
    /// `shortest` when width and height differ.
    case cover
    /// Both sides to width x height, whatever the shape.
    case squash
    /// No resize: the centre crop alone.
    case none
  }

  var width: Int
  var height: Int
  /// Pixels of the shorter side after `shortest`; most often the crop's own size.
  var resizeTo: Int
  var mode: ResizeMode = .shortest
  var resample: Resample = .bicubic
  /// Red, green, blue.
  var mean: [Float] = [0.48145466, 0.4578275, 0.40821073]
  var std: [Float] = [0.26862954, 0.26130258, 0.27577711]
  var fill: [UInt8] = [0, 0, 0]
  /// A pixel's 8-bit value times this is what mean and std are about.
  var rescale: Float = 1.0 / 255.0

  /// Numbers of one preprocessed picture.
  var floats: Int { 3 * height * width }
}
