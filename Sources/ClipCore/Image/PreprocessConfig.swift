/// How an image becomes the tower's input, from preprocessor_config.json or open_clip's preprocess_cfg.
struct PreprocessConfig {
  enum Resample {
    case nearest, bilinear, bicubic, lanczos

    /// The filter of this name; nil if there is none.
    init?(_ name: Name) {
      switch name {
      case "nearest": self = .nearest
      case "bilinear": self = .bilinear
      case "bicubic": self = .bicubic
      case "lanczos": self = .lanczos
      default: return nil
      }
    }
  }

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
  /// The size for `squash`, if not width x height.
  var squashTo: Sides?
  var mode: ResizeMode = .shortest
  /// Whether an odd margin is split as in transformers: when cropping the smaller half is first, when padding the
  /// larger half. torchvision rounds to even when cropping, and pads the smaller half first.
  var cropsAsTransformers = false
  var resample: Resample = .bicubic
  /// Whether pixels stay floats from the resize to the normalisation.
  var resizesFloats = false
  /// Whether the tower takes blue first.
  var swapsChannels = false
  /// Red, green, blue.
  var mean: [Float] = [0.48145466, 0.4578275, 0.40821073]
  var std: [Float] = [0.26862954, 0.26130258, 0.27577711]
  var fill: [UInt8] = [0, 0, 0]
  /// The factor of a pixel's 8-bit value before mean and std apply.
  var rescale: Float = 1.0 / 255.0

  /// The smaller side of an image after the resize in pixels, at most; 0 without a resize.
  var resizedSide: Int {
    switch mode {
    case .none: 0
    case .shortest: resizeTo
    case .longest, .cover: max(width, height)
    case .squash: max(squashTo?.width ?? width, squashTo?.height ?? height)
    }
  }

  /// Elements of one preprocessed image.
  var floats: Int { 3 * height * width }
}
