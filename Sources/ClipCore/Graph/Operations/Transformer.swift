import CClip

extension OpDescriptor {
  /// The pre-norm blocks of both CLIP towers (see clip_transformer), in scopes "resblocks.<i>".
  static let transformer = OpDescriptor(
    "transformer", inputs: 1,
    settings: [
      .integer("layers", 0...1024), .integer("heads", 1...Builder.largestWidth),
      .integer("mlp_width", 1...Builder.largestWidth), .integer("activation", 0...Int(CLIP_TANH.rawValue)),
      .flag("causal", default: false), .real("epsilon", 0...1),
    ]
  ) { call throws(ClipError) in
    var x = call.inputs[0]
    for layer in 0..<(try call.integer("layers")) {
      try call.builder.push(Name("resblocks.\(layer)"))
      x = try residualBlock(call, x)
      try call.builder.pop()
    }
    return x
  }
}

private func residualBlock(_ call: OpCall, _ x: Int) throws(ClipError) -> Int {
  let width = ("features" as Name, call.shapes[0].width)
  let epsilon = try call.real("epsilon")
  let normed = try call.op("layer_norm", named: "ln_1", [x], reals: [("epsilon", epsilon)])
  let q = try call.op("linear", named: "attn.q_proj", [normed], [width])
  let k = try call.op("linear", named: "attn.k_proj", [normed], [width])
  let v = try call.op("linear", named: "attn.v_proj", [normed], [width])
  let heads = try call.op(
    "attention", [q, k, v], [("heads", try call.integer("heads")), ("causal", try call.integer("causal"))])
  let attended = try call.op("add", [x, try call.op("linear", named: "attn.out_proj", [heads], [width])])
  let hidden = try call.op(
    "linear", named: "mlp.c_fc", [try call.op("layer_norm", named: "ln_2", [attended], reals: [("epsilon", epsilon)])],
    [("features", try call.integer("mlp_width"))])
  let activated = try call.op("activate", [hidden], [("activation", try call.integer("activation"))])
  return try call.op("add", [attended, try call.op("linear", named: "mlp.c_proj", [activated], [width])])
}
