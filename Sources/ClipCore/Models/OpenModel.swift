import CClip

/// The object behind a caller's handle. A call copies the reference to the current model once and uses only that. A
/// swap builds and checks another model and replaces the current one. The old one is freed when the last call that uses
/// it returns.
final class OpenModel {
  /// The sizes when it was opened, for which the caller may have made buffers.
  let opened: InputSizes
  private let model: Replaceable<Model>
  private let swaps = Mutex()

  init(_ model: Model) {
    opened = model.inputSizes
    self.model = Replaceable(model)
  }

  var current: Model { model.current }

  /// Replaces the towers of these CLIP_TOWER_* bits, 0 for all, by those of `folder`; if that is nil, each from its own
  /// folder. One swap at a time. A failed swap changes nothing.
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

  /// Replaces the model by the result of `next`. One update or swap at a time; a failed one changes nothing.
  func update(_ next: (Model) throws(ClipError) -> Model) throws(ClipError) {
    swaps.lock()
    defer { swaps.unlock() }
    model.replace(with: try next(current))
  }

  /// Opens the towers of another folder that replace those of `old`.
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

/// The sizes of a caller's pixels and tokens.
struct InputSizes {
  enum Kind { case pixels, tokens }

  var imageWidth = 0
  var imageHeight = 0
  var contextLength = 0

  /// Throws unless these are the sizes that the caller's buffers were made for: those it gave or, if 0, those when the
  /// model was opened.
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
