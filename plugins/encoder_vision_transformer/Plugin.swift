import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.encoder-vision-transformer", version: "0.1.0", license: "Apache-2.0") { table in
    table.addEncoder(
      CLIP_TOWER_IMAGE, id: "clipcore.encoder.vision-transformer",
      description: "Vision transformers of open_clip, timm and Hugging Face, with their options",
      strengths: "global-context:3,local-detail:1",
      example: #"""
        {"image_height": 224, "image_width": 224, "patch_size": 16, "width": 768, "layers": 12, "heads": 12,
        "mlp_width": 3072, "patch_bias": 1, "pre_norm": 0, "layer_scale": 1, "pool": "average"}
        """#
    ) { Graph.build($0, buildVisionTransformer) }
  }
}

private func buildVisionTransformer(_ graph: Graph) -> clip_value {
  var tower = VisionTransformer(graph)
  return tower.build()
}

/// A vision transformer (Dosovitskiy et al., 2021, https://arxiv.org/abs/2010.11929) under open_clip's names: patches
/// after a class token and registers, positions, blocks, a pool, a projection.
struct VisionTransformer {
  let graph: Graph
  var block: TransformerBlock
  let width: UInt32
  let patch: UInt32
  /// The number of rows before the patches.
  let prefix: UInt32
  let hasClass: Bool
  let registers: UInt32

  init(_ graph: Graph) {
    self.graph = graph
    block = TransformerBlock(graph)
    width = block.width
    patch = graph.size("patch_size")
    hasClass = graph.flag("class_token", true)
    registers = graph.count("registers")
    prefix = (hasClass ? 1 : 0) + registers
  }

  mutating func build() -> clip_value {
    let pixels = graph.pixels(height: graph.size("image_height"), width: graph.size("image_width"))
    let patches =
      graph.has("stem", "convolutions", "patch")
      ? stem(pixels)
      : graph.conv(pixels, "conv1", features: width, kernel: patch, stride: patch, bias: graph.flag("patch_bias"))
    if let rotary = Rotary(graph, patches: patches, heads: block.heads, prefix: prefix) {
      let graph = graph
      block.place = { rotary.place(graph, $0) }
    }
    block.bias = relativeBias(graph, patches, heads: block.heads, hasClass: hasClass)
    var x = tokens(patches)
    if graph.flag("pre_norm", true) { x = block.norm(x, "ln_pre") }
    x = block.all(x, scope: "transformer")
    if graph.flag("norm", true) && !readsQueries { x = block.norm(x, "ln_post") }
    x = pooled(x)
    if graph.flag("pool_norm") { x = block.norm(x, "ln_pool") }
    let embedding = graph.count("embed_dim")
    return embedding > 0 ? graph.linear(x, "proj", features: embedding, bias: false) : x
  }

  /// The stem of MobileCLIP-B (Vasu et al., 2024, https://arxiv.org/abs/2311.17049): patches of 16 in three steps.
  private func stem(_ pixels: clip_value) -> clip_value {
    var x = pixels
    for (step, side) in [UInt32(4), 2].enumerated() {
      x = graph.conv(x, "stem.\(step).conv", features: width / 4, kernel: side, stride: side)
      x = graph.activate(graph.batchNorm(x, "stem.\(step).bn", 1e-5), CLIP_GELU)
    }
    return graph.conv(x, "stem.2.conv", features: width, kernel: 2, stride: 2, bias: true)
  }

  /// The class token, the registers, then the patches. The table of positions has rows for all of them, for the class
  /// token and the patches, or for the patches alone.
  private func tokens(_ patches: clip_value) -> clip_value {
    let hasTable = !graph.has("positions", "none", "all")
    let placesAll = graph.has("positions", "all", "all")
    let placesClass = placesAll || graph.has("positions", "class", "all")
    let before = (placesClass && hasClass ? 1 : 0) + (placesAll ? registers : 0)
    let rows = before + graph.rows(patches)
    var x = hasTable ? graph.positions(patches, "positional_embedding", rows: rows, first: before) : patches
    func place(_ token: clip_value, _ row: UInt32) -> clip_value {
      guard hasTable, row < before else { return token }
      return graph.add(token, graph.tableRow("positional_embedding", rows: rows, row: row, width: width))
    }
    for index in (0..<registers).reversed() {
      let token = graph.tableRow("register_embedding", rows: registers, row: index, width: width)
      x = graph.prepend(x, placesAll ? place(token, index + (hasClass ? 1 : 0)) : token)
    }
    return hasClass ? graph.prepend(x, place(graph.rowParameter("class_embedding", width: width), 0)) : x
  }

  func pools(_ name: StaticString) -> Bool { graph.has("pool", name, "token") }
  private var readsQueries: Bool { pools("queries") }

  private func pooled(_ x: clip_value) -> clip_value {
    if pools("token") { return graph.firstRow(x) }
    if pools("average") { return graph.meanRows(x, first: prefix) }
    if pools("average_all") { return graph.meanRows(x) }
    if pools("map") { return attentionPool(x) }
    if pools("queries") { return block.norm(queryPool(x), "ln_post") }
    // The class token and the distillation token.
    if pools("distilled") { return graph.meanRows(x, first: 0, count: 2) }
    graph.fail("config: pool: expected token, average, average_all, map, queries or distilled")
    return -1
  }
}
