import CClip

/// A caller's model. A call takes the model of the moment once and works with that alone; a swap
/// builds and checks another aside and puts it in its place. What was there is freed when the last
/// call that uses it returns.
final class OpenModel {
  /// What the caller was told first, and may have made buffers for.
  let opened: InputSizes
  private let model: Replaceable<Model>
  private let swaps = Mutex()

  init(_ model: Model) {
    opened = model.inputSizes
    self.model = Replaceable(model)
  }

  var current: Model { model.current }

  /// Replaces the towers of these CLIP_TOWER_* bits, 0 for all, by those of `folder`, or of the folder
  /// that each came from. Swaps of one model happen one at a time; a failed one changes nothing.
  func swap(_ towers: UInt32, _ folder: String?, _ options: clip_model_options?) throws(ClipError) {
    swaps.lock()
    defer { swaps.unlock() }
    let old = current
    let known = UInt32(CLIP_TOWER_IMAGE) | UInt32(CLIP_TOWER_TEXT)
    guard towers & ~known == 0 else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "towers: expected CLIP_TOWER_* bits, found \(towers)")
    }
    let wanted = towers == 0 ? old.towers : towers
    if wanted & UInt32(CLIP_TOWER_IMAGE) != 0 { _ = try old.imageSide() }
    if wanted & UInt32(CLIP_TOWER_TEXT) != 0 { _ = try old.textSide() }

    let origins = [
      (UInt32(CLIP_TOWER_IMAGE), old.image?.origin), (UInt32(CLIP_TOWER_TEXT), old.text?.origin),
    ].filter { wanted & $0.0 != 0 }
    if let folder {
      let new = try OpenModel.open(like: old, folder, options ?? origins.first?.1?.options, wanted)
      model.replace(with: wanted == old.towers ? new : Model(old, with: new))
    } else {
      var next = old
      for (tower, origin) in origins {
        guard let origin else { continue }
        next = Model(next, with: try OpenModel.open(like: old, origin.folder, options ?? origin.options, tower))
      }
      model.replace(with: next)
    }
  }

  /// Replaces the model by what `next` makes of it. Updates and swaps of one model happen one at a time; a failed one
  /// changes nothing.
  func update(_ next: (Model) throws(ClipError) -> Model) throws(ClipError) {
    swaps.lock()
    defer { swaps.unlock() }
    model.replace(with: try next(current))
  }

  /// Towers of another folder that can take the place of `old`'s.
  private static func open(like old: Model, _ folder: String, _ options: clip_model_options?, _ towers: UInt32)
    throws(ClipError) -> Model
  {
    var options = options ?? clip_model_options()
    options.towers = towers
    let new = try Model(runtime: old.runtime, folder: folder, options, isPacked: true)
    guard new.embeddingWidth == old.embeddingWidth else {
      throw ClipError(
        CLIP_MISMATCH,
        "\(folder): expected embeddings of \(old.embeddingWidth) as the model's, found \(new.embeddingWidth)")
    }
    return new
  }
}

/// What the sizes of a caller's pixels and tokens depend on.
struct InputSizes {
  enum Kind { case pixels, tokens }

  var imageWidth = 0
  var imageHeight = 0
  var contextLength = 0

  /// Throws unless these are the sizes that the caller's buffers were made for: what it said or,
  /// where that is 0, what the model had when it was opened.
  func check(_ kind: Kind, said: InputSizes, opened: InputSizes) throws(ClipError) {
    switch kind {
    case .pixels:
      let width = said.imageWidth == 0 ? opened.imageWidth : said.imageWidth
      let height = said.imageHeight == 0 ? opened.imageHeight : said.imageHeight
      guard width == imageWidth, height == imageHeight else {
        throw InputSizes.changed(
          "pixels: expected \(imageWidth) x \(imageHeight)", "\(width) x \(height)", "image_width and image_height")
      }
    case .tokens:
      let length = said.contextLength == 0 ? opened.contextLength : said.contextLength
      guard length == contextLength else {
        throw InputSizes.changed("tokens: expected \(contextLength) for each text", "\(length)", "context_length")
      }
    }
  }

  private static func changed(_ expected: String, _ found: String, _ fields: String) -> ClipError {
    ClipError(
      CLIP_MISMATCH,
      expected + " as the model's tower takes, found " + found
        + ": after a swap to other sizes, describe the model and say its "
        + fields + " in the options")
  }
}

extension Model {
  var inputSizes: InputSizes {
    InputSizes(
      imageWidth: image?.preprocess.width ?? 0, imageHeight: image?.preprocess.height ?? 0,
      contextLength: text?.contextLength ?? 0)
  }
}
