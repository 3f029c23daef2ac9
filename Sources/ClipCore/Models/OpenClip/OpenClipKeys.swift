import CClip

/// The keys of open_clip's configs, and the values that leave the network as it is built here. open_clip does not know
/// any other key either.
enum OpenClipKeys {
  enum Allowed {
    /// Read elsewhere, or without effect on the network.
    case any
    /// Absent, null, false or an empty object.
    case off
    /// Absent, or one of these strings.
    case strings([Name])
  }

  typealias Table = [(key: Name, allowed: Allowed)]

  static func check(_ config: ConfigReader, _ table: Table) throws(ClipError) {
    for (key, _) in config.json.object ?? [] where config.json[key] != nil {
      var allowed: Allowed?
      for row in table where row.key == key { allowed = row.allowed }
      switch allowed {
      case .any: break
      case .off:
        guard isOff(config.json[key]) else {
          throw config.error(CLIP_UNSUPPORTED, key, "it to be absent: towers with it are not supported")
        }
      case .strings(let strings):
        guard let value = config.json[key]?.string, strings.contains(value) else {
          throw config.error(CLIP_UNSUPPORTED, key, "\"" + (strings.first?.string ?? "") + "\"")
        }
      case nil: throw config.error(CLIP_UNSUPPORTED, key, "a key of open_clip 3.3")
      }
    }
  }

  private static func isOff(_ value: JSON?) -> Bool {
    switch value {
    case nil, .bool(false): true
    case .object(let members): members.isEmpty
    default: false
    }
  }

  static var model: Table {
    [
      ("embed_dim", .any), ("vision_cfg", .any), ("text_cfg", .any), ("quick_gelu", .any),
      // The names of the tensors tell which class it is.
      ("custom_text", .any),
      // The file has what these start training from.
      ("init_logit_scale", .any), ("init_logit_bias", .any), ("nonscalar_logit_scale", .any),
      ("cast_dtype", .any), ("output_dict", .any),
      // Also in the file if that is the model's config itself.
      ("preprocess_cfg", .any),
      // CoCa's decoder, which embeddings do not need.
      ("multimodal_cfg", .any),
    ]
  }

  static var vision: Table {
    [
      ("timm_model_name", .any), ("timm_model_pretrained", .any), ("timm_pool", .any), ("timm_proj", .any),
      ("timm_proj_bias", .any), ("timm_drop", .any), ("timm_drop_path", .any),
      ("layers", .any), ("width", .any), ("head_width", .any), ("mlp_ratio", .any), ("patch_size", .any),
      ("image_size", .any),
      // Used in training only.
      ("patch_dropout", .any),
      ("attentional_pool", .any), ("attn_pooler_queries", .any), ("attn_pooler_heads", .any),
      ("input_patchnorm", .off), ("global_average_pool", .off), ("no_ln_pre", .any), ("final_ln_after_pool", .any),
      // The file has the positions in both cases.
      ("pos_embed_type", .strings(["learnable", "sin_cos_2d"])),
      ("pool_type", .strings(["tok", "avg"])),
    ] + block
  }

  /// With timm_model_name, keys of open_clip's own tower have no effect.
  static var timm: Table {
    vision.map { row in
      switch row.key {
      case "input_patchnorm", "global_average_pool": row
      default: (row.key, .any)
      }
    }
  }

  static var text: Table {
    [
      ("hf_model_name", .any), ("hf_model_pretrained", .any), ("hf_proj_type", .any), ("hf_pooler_type", .any),
      ("hf_tokenizer_name", .any), ("tokenizer_mode", .off), ("tokenizer_kwargs", .any),
      ("context_length", .any), ("vocab_size", .any), ("width", .any), ("heads", .any), ("layers", .any),
      ("mlp_ratio", .any),
      // open_clip 3.3 does not read final_ln_after_pool of a text tower.
      ("embed_cls", .any), ("no_causal_mask", .any), ("final_ln_after_pool", .any), ("proj_bias", .any),
      // Used with embed_cls and pool_type "eos" only.
      ("pad_id", .any), ("eos_id", .any),
      ("pool_type", .strings(["argmax", "eos", "first", "last"])), ("proj_type", .strings(["linear", "none"])),
    ] + block
  }

  /// Keys of both transformers. "custom" is the block that the options from qk_norm on select by themselves.
  private static var block: Table {
    [
      ("act_kwargs", .any), ("norm_kwargs", .any), ("ls_init_value", .any), ("output_tokens", .any),
      ("block_type", .strings(["default", "custom"])), ("qk_norm", .any), ("scale_heads", .off),
      // open_clip 3.3 fails on it.
      ("scaled_cosine_attn", .off), ("scale_attn_inner", .any), ("scale_attn", .any), ("scale_fc", .any),
    ]
  }
}
