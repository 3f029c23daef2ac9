/// transformers' image processors that resize, crop, rescale and normalise, with their defaults.
struct HuggingFaceProcessor {
  enum Size {
    case edge(Int)
    case square(Int)
  }

  /// The start of the processor's class names, such as "CLIP" of CLIPImageProcessor and CLIPFeatureExtractor.
  let name: Name
  let size: Size
  /// nil: without a crop.
  let crop: Int?
  let resample: PreprocessConfig.Resample
  let mean: [Float]
  let std: [Float]

  private init(
    _ name: Name, _ size: Size, crop: Int? = nil, _ resample: PreprocessConfig.Resample,
    _ channels: (mean: [Float], std: [Float])
  ) {
    self.name = name
    self.size = size
    self.crop = crop
    self.resample = resample
    (mean, std) = channels
  }

  private static var clipChannels: ([Float], [Float]) {
    ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
  }
  private static var imageNet: ([Float], [Float]) { ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]) }
  private static var half: ([Float], [Float]) { ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5]) }

  static var all: [HuggingFaceProcessor] {
    [
      HuggingFaceProcessor("CLIP", .edge(224), crop: 224, .bicubic, clipChannels),
      HuggingFaceProcessor("ChineseCLIP", .edge(224), crop: 224, .bicubic, clipChannels),
      HuggingFaceProcessor("Bit", .edge(224), crop: 224, .bicubic, clipChannels),
      HuggingFaceProcessor("Siglip", .square(224), .bicubic, half),
      HuggingFaceProcessor("ViT", .square(224), .bilinear, half),
      HuggingFaceProcessor("DeiT", .square(256), crop: 224, .bicubic, half),
      HuggingFaceProcessor("Beit", .square(224), .bicubic, half),
      HuggingFaceProcessor("DINOv3ViT", .square(224), .bilinear, imageNet),
      HuggingFaceProcessor("ConvNext", .edge(384), .bicubic, half),
      HuggingFaceProcessor("EfficientNet", .square(346), .bicubic, half),
      HuggingFaceProcessor("MobileViT", .edge(224), crop: 256, .bicubic, half),
      HuggingFaceProcessor("Blip", .square(384), .bicubic, clipChannels),
    ]
  }

  static func named(_ name: Name) -> HuggingFaceProcessor? {
    let endings: [Name] = ["ImageProcessor", "ImageProcessorFast", "ImageProcessorPil", "FeatureExtractor"]
    return all.first { processor in endings.contains { processor.name + $0 == name } }
  }
}
