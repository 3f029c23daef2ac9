import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.encoder-hybrid", version: "0.1.0", license: "Apache-2.0") { table in
    table.addEncoder(
      CLIP_TOWER_IMAGE, id: "clipcore.encoder.hybrid",
      description: "A CNN and a vision transformer side by side, fused by two linear layers",
      strengths: "local-detail:3,texture:3,global-context:3",
      example: #"{"image_height": 224, "image_width": 224}"#
    ) { Graph.build($0, buildHybrid) }
  }
}

/// Two image encoders on the same pixels, and a two-layer network on their concatenated features. "cnn" and "vit" are
/// the configurations of the encoders, with "encoder", an encoder's id.
private func buildHybrid(_ graph: Graph) -> clip_value {
  let cnn = graph.encoder(graph.text("cnn.encoder", "clipcore.encoder.resnet50"), scope: "cnn", config: "cnn")
  let vit = graph.encoder(graph.text("vit.encoder", "clipcore.encoder.vit"), scope: "vit", config: "vit")
  graph.push("fusion_layer")
  defer { graph.pop() }
  let hidden = graph.linear(graph.concat(cnn, vit), "0", features: graph.size("hidden_width", 1024))
  let dropped = graph.dropout(graph.activate(hidden, CLIP_RELU), graph.number("dropout", 0.1))
  return graph.linear(dropped, "3", features: graph.size("embed_dim", 512))
}
