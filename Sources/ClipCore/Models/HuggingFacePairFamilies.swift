extension HuggingFacePairs {
  struct Family {
    let type: Name
    /// The model_type as which each part is read; nil for the part's own.
    var image: Name?
    var text: Name?
    /// The scopes of the parts' tensors, and other prefixes of the towers' tensors.
    var imageScope: Name = "vision_model"
    var textScope: Name = "text_model"
    var textPrefix: Name = "text_model."
    var imageProjection: Name? = "visual_projection"
    var textProjection: Name = "text_projection"
    var hasBias = false
    /// The key of the embeddings' width, and its default.
    var widthKey: StaticString = "projection_dim"
    var width = 512
    /// The text's row; nil: the pooler's output.
    var pooling: Name? = "first"
    /// Keys of the text part that must have these values if present, and its defaults where they differ from those of
    /// `text`.
    var fixed: [(key: Name, value: JSON)] = []
    var defaults: [(key: Name, value: JSON)] = []
    var scale: Name? = "logit_scale"
    var temperature: Name?
    var ignored: [Name] = []
    /// Tensors beside the towers', with "*" for any characters.
    var ignoredPatterns: [Name] = []
  }

  static var families: [Family] {
    [
      Family(type: "chinese_clip", image: "clip_vision_model", text: "bert"),
      Family(
        type: "altclip", image: "clip_vision_model", text: "xlm-roberta", textScope: "text_model.roberta",
        defaults: [
          ("hidden_size", .int(1024)), ("num_hidden_layers", .int(24)), ("num_attention_heads", .int(16)),
          ("intermediate_size", .int(4096)), ("vocab_size", .int(250002)), ("max_position_embeddings", .int(514)),
          ("type_vocab_size", .int(1)), ("layer_norm_eps", .double(1e-5)),
        ]),
      Family(type: "vision-text-dual-encoder", pooling: nil),
      Family(
        type: "align", image: "align_vision_model", text: "bert", imageProjection: nil, hasBias: true, width: 640,
        scale: nil, temperature: "temperature"),
      Family(
        type: "blip", image: "blip_vision_model", text: "bert", textScope: "text_encoder", textPrefix: "text_encoder.",
        imageProjection: "vision_proj", textProjection: "text_proj", hasBias: true, widthKey: "image_text_hidden_size",
        width: 256,
        fixed: [
          ("is_decoder", .bool(false)), ("add_cross_attention", .bool(false)), ("type_vocab_size", .int(0)),
        ],
        defaults: [("vocab_size", .int(30524)), ("num_attention_heads", .int(8))], scale: nil, ignored: ["itm_head."],
        ignoredPatterns: ["text_encoder.encoder.layer.*.crossattention.*"]),
    ]
  }
}
