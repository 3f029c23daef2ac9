import CClip

/// open_clip's HFTextEncoder: a text_cfg with hf_model_name.
enum OpenClipHuggingFaceText {
  static func read(_ text: ConfigReader, _ context: OpenClipConfig.Context) throws(ClipError) -> ModelConfig.Text {
    throw text.error(CLIP_UNSUPPORTED, "hf_model_name", "it to be absent: towers with it are not supported")
  }
}
