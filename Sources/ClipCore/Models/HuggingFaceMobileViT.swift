import CClip

extension HuggingFaceHierarchical {
  static func mobileViT(_ config: ConfigReader) throws(ClipError) -> Family {
    let necks = try counts(config, "neck_hidden_sizes", [16, 32, 64, 96, 128, 160, 640], 7...7)
    guard try config.int("output_stride", 32, 1...32) == 32 else {
      throw config.error(CLIP_UNSUPPORTED, "output_stride", "32")
    }
    let members: Members = [
      ("widths", array(necks)), ("hidden_widths", array(try counts(config, "hidden_sizes", [144, 192, 240], 3...3))),
      ("heads", .int(try config.int("num_attention_heads", 4, 1...4096))),
      ("kernel", .int(try config.int("conv_kernel_size", 3, 1...63))),
      ("patch_size", .int(try config.int("patch_size", 2, 1...64))),
      ("mlp_ratio", .double(try config.number("mlp_ratio", 2, 0.01...64))),
      ("expand_ratio", .double(try config.number("expand_ratio", 4, 0.01...64))),
      ("qkv_bias", .int(try config.bool("qkv_bias", true) ? 1 : 0)),
      ("epsilon", .double(try HuggingFaceConfig.epsilon(config, 1e-5))),
      ("activation", .string(try HuggingFaceConfig.activation(config, "silu"))),
    ]
    return Family(encoder: "mobilevit", processor: "MobileViT", width: necks[6], names: [], members: members)
  }
}
