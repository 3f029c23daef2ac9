import CClip

extension Builder {
  /// The pre-norm blocks of both CLIP towers (see clip_transformer), in scopes "resblocks.<i>".
  func transformer(_ x: clip_value, _ options: UnsafePointer<clip_transformer>?) -> clip_value {
    guard let options, Int(options.pointee.struct_size) >= MemoryLayout<clip_transformer>.size else {
      fail(CLIP_PLUGIN, "transformer: expected a clip_transformer of \(MemoryLayout<clip_transformer>.size) bytes")
      return -1
    }
    let block = options.pointee
    guard block.layers <= 1024 else {
      fail(CLIP_INVALID_ARGUMENT, "transformer: expected at most 1024 layers, found \(block.layers)")
      return -1
    }
    var x = x
    for layer in 0..<block.layers {
      push(Name("resblocks.\(layer)"))
      x = residualBlock(x, block)
      pop()
    }
    return x
  }

  private func residualBlock(_ x: clip_value, _ block: clip_transformer) -> clip_value {
    guard let width = shape(x, "transformer").map({ UInt32($0.width) }) else { return -1 }
    let normed = layerNorm(x, "ln_1", block.epsilon)
    let q = linear(normed, "attn.q_proj", width, 0)
    let k = linear(normed, "attn.k_proj", width, 0)
    let v = linear(normed, "attn.v_proj", width, 0)
    let heads = attention(q, k, v, block.heads, block.flags & UInt32(CLIP_CAUSAL))
    let attended = sum(x, linear(heads, "attn.out_proj", width, 0))
    let hidden = linear(layerNorm(attended, "ln_2", block.epsilon), "mlp.c_fc", block.mlp_width, 0)
    return sum(attended, linear(activate(hidden, block.activation), "mlp.c_proj", width, 0))
  }
}
