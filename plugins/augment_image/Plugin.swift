import CClip
import ClipPluginKit

/// Image augmentations with the semantics, settings and defaults of torchvision's transforms, and `outline`.
@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.augment-image", version: "0.1.0", license: "Apache-2.0") { table in
    addCropsAndFlips(&table)
    addColours(&table)
    addWarps(&table)
  }
}

private let bytes = 0.0...255.0

private func addCropsAndFlips(_ table: inout PluginTable) {
  table.add(
    id: "clipcore.augment.random-resized-crop", op: "random_resized_crop",
    description: "Resizes a random part to one size",
    settings: [
      .numbers("size", [224], count: 1...2, 1...65535, "pixels of the result: one side, or height and width"),
      .numbers("scale", [0.08, 1], count: 2...2, 1e-6...1, "range of the part's share of the area"),
      .numbers("ratio", [3.0 / 4, 4.0 / 3], count: 2...2, 1e-6...1e6, "range of the part's width to its height"),
      .choice("interpolation", ["bilinear", "bicubic", "nearest"], "as Pillow resizes, antialiased"),
    ],
    image: { create($1, $2, $3, ResizedCrop.self) })
  table.add(
    id: "clipcore.augment.random-horizontal-flip", op: "random_horizontal_flip",
    description: "Mirrors left and right", probability: 0.5, formats: [],
    image: { create($1, $2, $3, HorizontalFlip.self) })
  table.add(
    id: "clipcore.augment.random-erasing", op: "random_erasing",
    description: "Fills a random rectangle", probability: 0.5,
    settings: [
      .numbers("scale", [0.02, 0.33], count: 2...2, 0...1, "range of the rectangle's share of the area"),
      .numbers("ratio", [0.3, 3.3], count: 2...2, 1e-3...1e3, "range of the rectangle's height to its width"),
      .numbers("value", [0], count: 1...3, bytes, "what it is filled with: gray, or red, green and blue"),
      .boolean("random", false, "fill with noise that is standard normal once the model has normalised it"),
    ],
    image: { create($1, $2, $3, Erasing.self) })
}

private func addColours(_ table: inout PluginTable) {
  table.add(
    id: "clipcore.augment.color-jitter", op: "color_jitter",
    description: "Changes brightness, contrast, saturation and hue in random order",
    settings: [
      .numbers("brightness", [0], count: 1...2, 0...100, "range of the factor; one number v is 1 - v to 1 + v"),
      .numbers("contrast", [0], count: 1...2, 0...100, "range of the factor; one number v is 1 - v to 1 + v"),
      .numbers("saturation", [0], count: 1...2, 0...100, "range of the factor; one number v is 1 - v to 1 + v"),
      .numbers(
        "hue", [0], count: 1...2, -0.5...0.5, "range of the rotation, 1 for the full circle; one number v is -v to v"),
    ],
    image: { create($1, $2, $3, ColorJitter.self) })
  table.add(
    id: "clipcore.augment.random-grayscale", op: "random_grayscale",
    description: "Makes all channels the luma", probability: 0.1,
    image: { create($1, $2, $3, Grayscale.self) })
  table.add(
    id: "clipcore.augment.gaussian-blur", op: "gaussian_blur",
    description: "Blurs by a Gaussian kernel",
    settings: [
      .numbers("kernel_size", [5], count: 1...2, 1...1001, "odd pixels: one side, or width and height"),
      .numbers("sigma", [0.1, 2], count: 1...2, 1e-3...1e3, "range of the deviation in pixels, or the deviation"),
    ],
    image: { create($1, $2, $3, GaussianBlur.self) })
  table.add(
    id: "clipcore.augment.rand-augment", op: "rand_augment",
    description: "Applies some of 14 ops, all of one magnitude",
    settings: [
      .integer("num_ops", 2, 0...100, "ops that are applied one after the other"),
      .integer("magnitude", 9, 0...1023, "how strong they are, below num_magnitude_bins"),
      .integer("num_magnitude_bins", 31, 2...1024, "the number of magnitudes"),
      .choice("interpolation", Interpolation.words, "of shears, translations and rotations"),
      .numbers("fill", [0], count: 1...3, bytes, "the colour outside the image"),
    ],
    image: { create($1, $2, $3, RandAugment.self) })
  table.add(
    id: "clipcore.augment.outline", op: "outline",
    description: "Draws lines at edges",
    settings: [
      .numbers("width", [2, 6], count: 1...2, 0...64, "range of the lines' width in pixels, or the width"),
      .numbers("strength", [0.5, 1], count: 1...2, 0...1, "range of how much of a pixel the line is"),
      .numbers("threshold", [40, 120], count: 1...2, 0...255, "range of the difference that makes a line"),
      .numbers("value", [0], count: 1...3, bytes, "the line's colour: gray, or red, green and blue"),
    ],
    image: { create($1, $2, $3, Outline.self) })
  table.add(
    id: "clipcore.augment.normalize", op: "normalize",
    description: "Refused: the model normalises as its last step",
    settings: [
      .numbers("mean", [0.48145466, 0.4578275, 0.40821073], count: 1...3, -1e6...1e6, "of each channel"),
      .numbers("std", [0.26862954, 0.26130258, 0.27577711], count: 1...3, -1e6...1e6, "of each channel"),
    ],
    image: { create($1, $2, $3, Normalize.self) })
}

private func addWarps(_ table: inout PluginTable) {
  func common(_ degrees: Double) -> [Setting] {
    [
      .numbers("degrees", [degrees], count: 1...2, -360...360, "range of the angle; one number v is -v to v"),
      .choice("interpolation", Interpolation.words, "how values between pixels are computed"),
      .numbers("fill", [0], count: 1...3, bytes, "the colour outside the image"),
      .numbers(
        "center", [], count: 0...2, -1e6...1e6, "x and y of the fixed point from the upper left; none is the centre"),
    ]
  }
  table.add(
    id: "clipcore.augment.random-rotation", op: "random_rotation",
    description: "Rotates counter-clockwise",
    settings: common(15) + [
      .boolean("expand", false, "enlarge the result to hold the whole rotated image")
    ],
    image: { create($1, $2, $3, Rotation.self) })
  table.add(
    id: "clipcore.augment.random-affine", op: "random_affine",
    description: "Rotates clockwise, translates, scales and shears",
    settings: common(0) + [
      .numbers("translate", [], count: 0...2, 0...1, "largest shift as shares of width and height; none: 0"),
      .numbers("scale", [1, 1], count: 2...2, 1e-3...1e3, "range of the factor"),
      .numbers("shear", [0], count: 1...4, -180...180, "range of the angle along x, or ranges along x and along y"),
    ],
    image: { create($1, $2, $3, Affine.self) })
  table.add(
    id: "clipcore.augment.random-perspective", op: "random_perspective",
    description: "Distorts the perspective", probability: 0.5,
    settings: [
      .number(
        "distortion_scale", 0.5, 0...1, "how far corners move at most, as a share of half the sides"
      ),
      .choice("interpolation", ["bilinear", "nearest", "bicubic"], "how values between pixels are computed"),
      .numbers("fill", [0], count: 1...3, bytes, "the colour outside the image"),
    ],
    image: { create($1, $2, $3, Perspective.self) })
  table.add(
    id: "clipcore.augment.elastic-transform", op: "elastic_transform",
    description: "Displaces pixels by smoothed noise",
    settings: [
      .numbers("alpha", [50], count: 1...2, 0...1e4, "how far pixels move: one number, or along x and along y"),
      .numbers(
        "sigma", [5], count: 1...2, 0...100, "deviation of the smoothing in pixels: one number, or of x and y; 0: none"
      ),
      .choice("interpolation", ["bilinear", "nearest"], "how values between pixels are computed"),
      .numbers("fill", [0], count: 1...3, bytes, "the colour outside the image"),
    ],
    image: { create($1, $2, $3, Elastic.self) })
}
