extension HuggingFaceHierarchical {
  /// Maps the encoders' parameters to transformers' tensors, both under a scope. A parameter with several rows differs
  /// between versions of transformers.
  typealias Names = [(parameter: Name, tensor: Name)]

  static var convNeXt: Names {
    let (block, layer): (Name, Name) = ("stages.{}.blocks.{}.", "encoder.stages.{}.layers.{}.")
    return [
      ("stem.0.{}", "embeddings.patch_embeddings.{}"), ("stem.1.{}", "embeddings.layernorm.{}"),
      ("stages.{}.downsample.{}.{}", "encoder.stages.{}.downsampling_layer.{}.{}"),
      (block + "conv_dw.{}", layer + "dwconv.{}"), (block + "norm.{}", layer + "layernorm.{}"),
      (block + "mlp.fc1.{}", layer + "pwconv1.{}"), (block + "mlp.grn.{}", layer + "grn.{}"),
      (block + "mlp.fc2.{}", layer + "pwconv2.{}"), (block + "gamma", layer + "layer_scale_parameter"),
      ("head.norm.{}", "layernorm.{}"),
    ]
  }

  static var dinoConvNeXt: Names {
    var names: Names = [("head.norm.{}", "layer_norm.{}")]
    for start in ["model.", ""] as [Name] {
      let (block, layer): (Name, Name) = ("stages.{}.blocks.{}.", start + "stages.{}.layers.{}.")
      names += [
        ("stem.{}.{}", start + "stages.0.downsample_layers.{}.{}"),
        ("stages.{}.downsample.{}.{}", start + "stages.{}.downsample_layers.{}.{}"),
        (block + "conv_dw.{}", layer + "depthwise_conv.{}"), (block + "norm.{}", layer + "layer_norm.{}"),
        (block + "mlp.fc1.{}", layer + "pointwise_conv1.{}"), (block + "mlp.fc2.{}", layer + "pointwise_conv2.{}"),
        (block + "gamma", layer + "gamma"),
      ]
    }
    return names
  }

  static var swin: Names {
    let (block, layer): (Name, Name) = ("layers.{}.blocks.{}.", "encoder.layers.{}.blocks.{}.")
    var names: Names = [
      ("patch_embed.proj.{}", "embeddings.patch_embeddings.projection.{}"),
      ("patch_embed.norm.{}", "embeddings.norm.{}"), ("absolute_pos_embed", "embeddings.position_embeddings"),
      ("norm.{}", "layernorm.{}"),
    ]
    // Patch merging ends a stage in our encoder, and begins the next one in transformers.
    for stage in 1..<8 {
      names.append((Name("layers.\(stage).downsample.{}.{}"), Name("encoder.layers.\(stage - 1).downsample.{}.{}")))
    }
    let inBlock: Names = [
      ("norm1.{}", "layernorm_before.{}"), ("norm2.{}", "layernorm_after.{}"),
      ("attn.q_proj.{}", "attention.self.query.{}"), ("attn.q_proj.{}", "attention.q_proj.{}"),
      ("attn.k_proj.{}", "attention.self.key.{}"), ("attn.k_proj.{}", "attention.k_proj.{}"),
      ("attn.v_proj.{}", "attention.self.value.{}"), ("attn.v_proj.{}", "attention.v_proj.{}"),
      ("attn.proj.{}", "attention.output.dense.{}"), ("attn.proj.{}", "attention.o_proj.{}"),
      ("attn.relative_position_bias_table", "attention.self.relative_position_bias_table"),
      ("attn.relative_position_bias_table", "attention.relative_position_bias.relative_position_bias_table"),
      ("attn.logit_scale", "attention.self.logit_scale"),
      ("attn.cpb_mlp.{}.{}", "attention.self.continuous_position_bias_mlp.{}.{}"),
      ("mlp.fc1.{}", "intermediate.dense.{}"), ("mlp.fc1.{}", "mlp.fc1.{}"),
      ("mlp.fc2.{}", "output.dense.{}"), ("mlp.fc2.{}", "mlp.fc2.{}"),
    ]
    for (name, tensor) in inBlock { names.append((block + name, layer + tensor)) }
    return names
  }

  static var resNet: Names {
    var names: Names = [
      ("conv1.{}", "embedder.embedder.convolution.{}"), ("bn1.{}", "embedder.embedder.normalization.{}"),
    ]
    for stage in 1...4 {
      let (layer, file) = ("layer\(stage).{}.", "encoder.stages.\(stage - 1).layers.{}.")
      for part in 1...3 {
        names.append((Name(layer + "conv\(part).{}"), Name(file + "layer.\(part - 1).convolution.{}")))
        names.append((Name(layer + "bn\(part).{}"), Name(file + "layer.\(part - 1).normalization.{}")))
      }
      names.append((Name(layer + "downsample.0.{}"), Name(file + "shortcut.convolution.{}")))
      names.append((Name(layer + "downsample.1.{}"), Name(file + "shortcut.normalization.{}")))
    }
    return names
  }
}
