import ArgumentParser

struct Info: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a model is: its towers, sizes and encoders.",
    usage: "clip info <model> [<options>]",
    discussion: """
      Opens the model, so it also says whether its files are sound.

        clip info Models/emoji
      """)

  @Argument(help: "The model's folder.")
  var model: ByteString

  @OptionGroup var storage: StorageOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let model = try Model(try self.model.utf8, runtime: try common.runtime(), storage: storage.storage)
    try StandardOutput.write(common.json ? json(model).pretty() + "\n" : table(model))
  }

  private func table(_ model: Model) -> String {
    let info = model.info
    var table = Table([("", .left), ("", .left)])
    table.add(["folder", self.model.shown])
    table.add(["layout", info.layout])
    table.add(["embedding width", "\(info.embeddingWidth)"])
    table.add(["logit scale", fixed(Double(info.logitScale), 4)])
    if let bias = info.logitBias { table.add(["logit bias", fixed(Double(bias), 4)]) }
    table.add(["weights in memory", info.storage.name])
    if info.towers.contains(.image) {
      table.add(["image encoder", model.encoder(.image)])
      table.add(["  image", "\(info.imageWidth) x \(info.imageHeight) pixels"])
      if info.resizedSide > 0 { table.add(["  resized to", "\(info.resizedSide) pixels of the smaller side"]) }
      table.add(["  parameters", grouped(UInt64(info.imageParameters))])
    }
    if info.towers.contains(.text) {
      table.add(["text encoder", model.encoder(.text)])
      table.add(["  context", "\(info.contextLength) tokens"])
      table.add(["  vocabulary", "\(info.vocabularySize) tokens"])
      table.add(["  parameters", grouped(UInt64(info.textParameters))])
    }
    return table.text()
  }

  private func json(_ model: Model) -> JSON {
    let info = model.info
    var members: [(key: String, value: JSON)] = [
      ("model", .string(self.model.text)), ("layout", .string(info.layout)),
      ("embedding_width", .integer(info.embeddingWidth)), ("logit_scale", .float(info.logitScale)),
    ]
    if let bias = info.logitBias { members.append(("logit_bias", .float(bias))) }
    members.append(("storage", .string(info.storage.name)))
    if info.towers.contains(.image) {
      members.append(
        (
          "image",
          [
            "encoder": .string(model.encoder(.image)), "width": .integer(info.imageWidth),
            "height": .integer(info.imageHeight), "resized_side": .integer(info.resizedSide),
            "parameters": .integer(info.imageParameters),
          ]
        ))
    }
    if info.towers.contains(.text) {
      members.append(
        (
          "text",
          [
            "encoder": .string(model.encoder(.text)), "context_length": .integer(info.contextLength),
            "vocabulary_size": .integer(info.vocabularySize), "parameters": .integer(info.textParameters),
          ]
        ))
    }
    return .object(members)
  }
}
