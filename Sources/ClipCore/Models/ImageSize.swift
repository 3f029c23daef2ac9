import CClip

extension ModelDescription {
  /// Changes the image tower's input size: preprocessing follows, and position embeddings are interpolated as by the
  /// layout's library.
  mutating func setImageSize(_ size: Sides, _ folder: String) throws(ClipError) {
    guard var tower = image else {
      throw ClipError(CLIP_UNSUPPORTED, folder + ": image_width: the model has no image tower")
    }
    let old = Sides(height: preprocess.height, width: preprocess.width)
    guard ConfigReader.sides.contains(size.height), ConfigReader.sides.contains(size.width) else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "image_width and image_height: expected 1 to \(ConfigReader.sides.upperBound), found \(size.text)")
    }
    tower.config = .object(
      (tower.config.object ?? []).map { key, value in
        key == "image_height" ? (key, .int(size.height)) : key == "image_width" ? (key, .int(size.width)) : (key, value)
      })
    image = tower
    preprocess.resizeTo = preprocess.resizeTo * min(size.height, size.width) / max(1, min(old.height, old.width))
    preprocess.squashTo = preprocess.squashTo.map {
      Sides(height: $0.height * size.height / max(1, old.height), width: $0.width * size.width / max(1, old.width))
    }
    (preprocess.width, preprocess.height) = (size.width, size.height)
    if preprocess.mode == .shortest, layout == .openClip, size.height != size.width { preprocess.mode = .cover }
    resizePositions(tower, from: old, to: size)
  }

  /// Interpolates the tower's positions from the grid of one size to that of another.
  private mutating func resizePositions(_ tower: TowerDescription, from old: Sides, to size: Sides) {
    guard let patch = tower.config["patch_size"]?.int, patch > 0 else { return }
    func grid(_ sides: Sides) -> Sides { Sides(height: sides.height / patch, width: sides.width / patch) }
    let start: Name = tower.scope.isEmpty ? "" : tower.scope + "."
    for table in ["positional_embedding", "position_embeddings", "embeddings.position_embedding.weight"] as [Name] {
      let name = start + table
      let known = names.resizes.firstIndex { $0.parameter == name }
      let before = known.map { names.resizes[$0].resize }
      guard let tensor = ParameterSource(weights, names).find(name), let width = tensor.shape.last, width > 0 else {
        continue
      }
      let from = before?.from ?? grid(old)
      let resize = PositionResize(
        prefix: before?.prefix ?? (tensor.tensor.count / width - from.height * from.width), from: from, to: grid(size),
        antialias: before?.antialias ?? names.antialiasesPositions)
      guard resize.prefix >= 0, resize.to.height > 0, resize.to.width > 0 else { continue }
      if let known { names.resizes[known].resize = resize } else { names.resizes.append((name, resize)) }
    }
  }

  /// Interpolates the positions of a table for a square grid to the tower's grid, as open_clip's resize_pos_embed does.
  mutating func fitPositions() {
    guard let tower = image, let patch = tower.config["patch_size"]?.int, patch > 0,
      tower.encoder == "clipcore.encoder.clip-vit" || tower.encoder == "clipcore.encoder.vision-transformer",
      let tensor = weights.tensors[tower.scope + ".positional_embedding"], tensor.shape.count == 2
    else { return }
    let to = Sides(height: preprocess.height / patch, width: preprocess.width / patch)
    let rows = tensor.shape[0] - 1
    let side = Int(Double(max(0, rows)).squareRoot())
    guard side > 0, side * side == rows, rows != to.height * to.width else { return }
    names.resizes.append(
      (
        tower.scope + ".positional_embedding",
        PositionResize(prefix: 1, from: Sides(side), to: to, antialias: true)
      ))
  }
}
