import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.encoder-multiscale", version: "0.1.0", license: "Apache-2.0") { table in
    table.addEncoder(
      CLIP_TOWER_IMAGE, id: "clipcore.encoder.multiscale",
      description: "ResNet levels in a feature pyramid, under channel, spatial and scale attention",
      strengths: "local-detail:3,texture:2,global-context:1,multi-scale:3",
      example: #"{"image_height": 224, "image_width": 224}"#
    ) { Graph.build($0, buildMultiscale) }
  }
}

/// A feature pyramid of a backbone's levels, with three attentions, pooled and projected. "backbone" is the backbone's
/// configuration, with "encoder", the id of an encoder whose outputs are layer1 to layer4, fine to coarse.
private func buildMultiscale(_ graph: Graph) -> clip_value {
  let id = graph.text("backbone.encoder", "clipcore.encoder.resnet50")
  _ = graph.encoder(id, scope: "backbone", config: "backbone")
  let levels = (1...4).map { graph.output("backbone.layer\($0)") }

  graph.push("fpn")
  let pyramid = graph.featurePyramid(levels, features: graph.size("width", 256))
  graph.pop()

  graph.push("scale_attention")
  graph.push("channel_attention")
  var x = graph.channelAttention(pyramid, reduction: graph.size("reduction", 16))
  graph.pop()
  graph.push("spatial_attention")
  x = graph.spatialAttention(x, kernel: 7)
  graph.pop()
  graph.push("scale_attention")
  x = graph.scaleAttention(x, kernels: [3, 5, 7])
  graph.pop()
  graph.pop()
  return graph.linear(graph.meanRows(x), "projection", features: graph.size("embed_dim", 512))
}
