import CClip

/// open_clip's ModifiedResNet: a vision_cfg whose layers are four numbers.
enum OpenClipResNet {
  static func read(
    _ vision: ConfigReader, _ size: Sides, _ context: OpenClipConfig.Context
  ) throws(ClipError) -> TowerDescription {
    var layers: [Int] = []
    for element in vision.json["layers"]?.array ?? [] {
      guard let count = element.int, ConfigReader.layers.contains(count) else { break }
      layers.append(count)
    }
    guard layers.count == 4, vision.json["layers"]?.array?.count == 4 else {
      throw vision.error(CLIP_FORMAT, "layers", "one integer or four, from 1 to \(ConfigReader.layers.upperBound)")
    }
    // The stem is half as wide; the last stage has 32 times the width and a 32nd of the sides.
    let width = try vision.int("width", 768, 2...(1 << 15))
    guard width % 2 == 0 else { throw vision.error(CLIP_FORMAT, "width", "an even integer") }
    let head = try vision.int("head_width", 64, ConfigReader.widths)
    guard width * 32 % head == 0 else {
      throw ClipError(
        CLIP_FORMAT,
        "\(vision.place): 32 times \(vision.prefix)width \(width) "
          + "is not a multiple of \(vision.prefix)head_width \(head)")
    }
    guard size.height % 32 == 0, size.width % 32 == 0 else {
      throw ClipError(
        CLIP_FORMAT,
        "\(vision.place): \(vision.prefix)image_size \(size.text) is not a multiple of 32, by which a ResNet shrinks it"
      )
    }
    return ResNetConfig(
      image: size, width: width, layers: layers, heads: width * 32 / head, embedding: context.embedding
    ).tower
  }
}
