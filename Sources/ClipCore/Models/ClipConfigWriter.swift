import CClip

/// Writes the configuration of a CLIP model in the other layout: the inverse of HuggingFaceConfig and OpenClipConfig,
/// which say what the keys mean. CLIP_UNSUPPORTED if the layout cannot express the model.
struct ClipConfigWriter {
  let layout: Layout
  /// The model's folder, for messages.
  let place: String
  let embedding: Int
  let image: JSON
  let text: JSON
  let preprocess: PreprocessConfig

  init(_ description: ModelDescription, _ layout: Layout, place: String) throws(ClipError) {
    let (image, text) = (description.image, description.text)
    guard description.layout != .clipcore, let image, let text, image.encoder == "clipcore.encoder.clip-vit",
      text.encoder == "clipcore.encoder.clip-text", description.logitBias == nil, description.logitScale != nil
    else {
      throw ClipError(
        CLIP_UNSUPPORTED,
        place + ": layout: expected CLIP's vision and text transformer and no logit bias, to be converted; found "
          + (image?.encoder.string ?? "none") + " and " + (text?.encoder.string ?? "none"))
    }
    self.layout = layout
    self.place = place
    embedding = description.embeddingWidth
    self.image = image.config
    self.text = text.config
    preprocess = description.preprocess
  }

  /// The names and contents of the files.
  func files(_ storage: ElementType) throws(ClipError) -> [(name: Name, text: [UInt8])] {
    if layout == .openClip { return [(OpenClipConfig.file, try openClip())] }
    return [
      (HuggingFaceConfig.file, try huggingFace(storage)), ("preprocessor_config.json", try huggingFacePreprocess()),
    ]
  }

  private func unsupported(_ what: StaticString) -> ClipError {
    ClipError(CLIP_UNSUPPORTED, "\(place): layout: \(layout.name) cannot express \(what)")
  }

  /// The values of keys in a tower's configuration, as VisionTransformerConfig and TextTransformerConfig write it.
  private func values(_ tower: JSON, _ keys: [Name]) -> [JSON] { keys.map { tower[$0] ?? .null } }

  private func numbers(_ list: [Float]) -> JSON { .array(list.map { .double(Double($0)) }) }

  // MARK: Hugging Face

  private func huggingFace(_ storage: ElementType) throws(ClipError) -> [UInt8] {
    guard preprocess.height == preprocess.width else { throw unsupported("images that are not square") }
    let type: Name = storage == .float16 ? "float16" : storage == .bfloat16 ? "bfloat16" : "float32"
    // In transformers, 2 means the largest id of the text.
    let end = text["end_token"]?.int ?? -1
    return JSON.fill(
      """
      {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": $,
        "torch_dtype": $,
        "vision_config": {
          "model_type": "clip_vision_model",
          "image_size": $,
          "patch_size": $,
          "hidden_size": $,
          "num_hidden_layers": $,
          "num_attention_heads": $,
          "intermediate_size": $,
          "layer_norm_eps": $,
          "hidden_act": $,
          "projection_dim": $
        },
        "text_config": {
          "model_type": "clip_text_model",
          "vocab_size": $,
          "max_position_embeddings": $,
          "hidden_size": $,
          "num_hidden_layers": $,
          "num_attention_heads": $,
          "intermediate_size": $,
          "layer_norm_eps": $,
          "hidden_act": $,
          "bos_token_id": $,
          "eos_token_id": $,
          "projection_dim": $
        }
      }

      """,
      [.int(embedding), .string(type)]
        + values(image, ["image_width", "patch_size", "width", "layers", "heads", "mlp_width", "epsilon"])
        + [activation(image), .int(embedding)]
        + values(text, ["vocab_size", "context_length", "width", "layers", "heads", "mlp_width", "epsilon"])
        + [activation(text), .int((text["vocab_size"]?.int ?? 2) - 2), .int(end < 0 ? 2 : end), .int(embedding)])
  }

  private func activation(_ tower: JSON) -> JSON {
    let name = tower["activation"]?.string ?? "gelu"
    return .string(name == "gelu_tanh" ? "gelu_pytorch_tanh" : name)
  }

  private func huggingFacePreprocess() throws(ClipError) -> [UInt8] {
    let sides: JSON = .object([("height", .int(preprocess.height)), ("width", .int(preprocess.width))])
    var size = sides
    switch preprocess.mode {
    case .shortest: size = .object([("shortest_edge", .int(preprocess.resizeTo))])
    case .squash, .none: break
    case .longest, .cover: throw unsupported("a resize that fits the longer side and fills the rest")
    }
    let resample =
      switch preprocess.resample {
      case .nearest: 0
      case .lanczos: 1
      case .bilinear: 2
      case .bicubic: 3
      }
    return JSON.fill(
      """
      {
        "image_processor_type": "CLIPImageProcessor",
        "do_resize": $,
        "size": $,
        "do_center_crop": $,
        "crop_size": $,
        "resample": $,
        "rescale_factor": $,
        "image_mean": $,
        "image_std": $
      }

      """,
      [
        .bool(preprocess.mode != .none), size, .bool(preprocess.mode != .squash), sides, .int(resample),
        .double(preprocess.rescale == 1.0 / 255.0 ? 1.0 / 255.0 : Double(preprocess.rescale)), numbers(preprocess.mean),
        numbers(preprocess.std),
      ])
  }

  // MARK: open_clip

  private func openClip() throws(ClipError) -> [UInt8] {
    let end = text["end_token"]?.int ?? -1
    guard end < 0 || end == (text["vocab_size"]?.int ?? 0) - 1 else {
      throw unsupported("an end token that is not the last")
    }
    let isQuick = image["activation"]?.string == "quick_gelu"
    guard isQuick == (text["activation"]?.string == "quick_gelu") else {
      throw unsupported("quick_gelu in one tower alone")
    }
    let isSquare = preprocess.height == preprocess.width
    let mode: Name
    switch preprocess.mode {
    case .shortest where isSquare && preprocess.resizeTo == preprocess.width, .cover where !isSquare: mode = "shortest"
    case .longest: mode = "longest"
    case .squash: mode = "squash"
    default: throw unsupported("a resize to another size than the crop's")
    }
    guard preprocess.resample == .bicubic || preprocess.resample == .bilinear, preprocess.rescale == 1.0 / 255.0 else {
      throw unsupported("a resize that is not bicubic or bilinear, or a rescale_factor that is not 1/255")
    }
    let sides: JSON = isSquare ? .int(preprocess.width) : .array([.int(preprocess.height), .int(preprocess.width)])
    let heads = image["heads"]?.int ?? 1
    return JSON.fill(
      """
      {
        "model_cfg": {
          "embed_dim": $,
          "quick_gelu": $,
          "vision_cfg": {
            "image_size": $,
            "patch_size": $,
            "width": $,
            "layers": $,
            "head_width": $,
            "mlp_ratio": $,
            "act_kwargs": $,
            "norm_kwargs": {"eps": $}
          },
          "text_cfg": {
            "vocab_size": $,
            "context_length": $,
            "width": $,
            "layers": $,
            "heads": $,
            "mlp_ratio": $,
            "act_kwargs": $,
            "norm_kwargs": {"eps": $}
          }
        },
        "preprocess_cfg": {
          "size": $,
          "mode": "RGB",
          "mean": $,
          "std": $,
          "interpolation": $,
          "resize_mode": $,
          "fill_color": $
        }
      }

      """,
      [.int(embedding), .bool(isQuick), sides] + values(image, ["patch_size", "width", "layers"])
        + [.int((image["width"]?.int ?? heads) / heads)] + block(image)
        + values(text, ["vocab_size", "context_length", "width", "layers", "heads"]) + block(text)
        + [
          sides, numbers(preprocess.mean), numbers(preprocess.std),
          .string(preprocess.resample == .bicubic ? "bicubic" : "bilinear"), .string(mode), fillColor,
        ])
  }

  /// open_clip takes one integer if all channels have it.
  private var fillColor: JSON {
    let fill = preprocess.fill.map { JSON.int(Int($0)) }
    return preprocess.fill.allSatisfy { $0 == preprocess.fill[0] } ? fill[0] : .array(fill)
  }

  /// mlp_ratio, act_kwargs and epsilon.
  private func block(_ tower: JSON) -> [JSON] {
    let width = Double(tower["width"]?.int ?? 1)
    let mlpWidth = Double(tower["mlp_width"]?.int ?? 1)
    // open_clip multiplies and rounds down.
    let ratio = mlpWidth / width
    let isTanh = tower["activation"]?.string == "gelu_tanh"
    return [
      .double(width * ratio < mlpWidth ? ratio.nextUp : ratio),
      isTanh ? .object([("approximate", .string("tanh"))]) : .null, tower["epsilon"] ?? .double(1e-5),
    ]
  }
}

extension JSON {
  /// `template` with each "$" replaced by a value.
  fileprivate static func fill(_ template: StaticString, _ values: [JSON]) -> [UInt8] {
    var text: [UInt8] = []
    var next = 0
    for byte in UnsafeBufferPointer(start: template.utf8Start, count: template.utf8CodeUnitCount) {
      if byte == UInt8(ascii: "$"), next < values.count {
        values[next].write(to: &text)
        next += 1
      } else {
        text.append(byte)
      }
    }
    return text
  }

  /// Writes on one line. Strings must need no escapes.
  private func write(to text: inout [UInt8]) {
    switch self {
    case .null: text += Array("null".utf8)
    case .bool(let value): text += Array((value ? "true" : "false").utf8)
    case .int(let value): text += Array("\(value)".utf8)
    case .double(let value):
      // The fewest digits that give the same value.
      let narrow = Float(value)
      text += Array((Double(narrow) == value ? "\(narrow)" : "\(value)").utf8)
    case .string(let value): text += [UInt8(ascii: "\"")] + value.utf8 + [UInt8(ascii: "\"")]
    case .array(let elements):
      text.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { text += Array(", ".utf8) }
        element.write(to: &text)
      }
      text.append(UInt8(ascii: "]"))
    case .object(let members):
      text.append(UInt8(ascii: "{"))
      for (index, member) in members.enumerated() {
        if index > 0 { text += Array(", ".utf8) }
        JSON.string(member.key).write(to: &text)
        text += Array(": ".utf8)
        member.value.write(to: &text)
      }
      text.append(UInt8(ascii: "}"))
    }
  }
}
