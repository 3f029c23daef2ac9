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
    let model = try Model(
      try common.runtime(), folder: self.model, towers: [.image, .text], storage: storage.storage.value)
    try withExtendedLifetime(model) {
      try StandardOutput.write(common.json ? json(model.info).pretty() + "\n" : table(model.info))
    }
  }

  private func table(_ info: clip_model_info) -> String {
    var table = Table([("", .left), ("", .left)])
    table.add(["folder", model.shown])
    table.add(["layout", string(info.layout)])
    table.add(["embedding width", "\(info.embedding_width)"])
    table.add(["logit scale", fixed(Double(info.logit_scale), 4)])
    if info.has_logit_bias != 0 { table.add(["logit bias", fixed(Double(info.logit_bias), 4)]) }
    table.add(["weights in memory", storageName(info.storage)])
    if has(info, .image) {
      table.add(["image encoder", string(info.image_encoder)])
      table.add(["  picture", "\(info.image_width) x \(info.image_height) pixels"])
      table.add(["  parameters", grouped(info.image_parameters)])
    }
    if has(info, .text) {
      table.add(["text encoder", string(info.text_encoder)])
      table.add(["  context", "\(info.context_length) tokens"])
      table.add(["  vocabulary", "\(info.vocabulary_size) tokens"])
      table.add(["  parameters", grouped(info.text_parameters)])
    }
    return table.text()
  }

  private func json(_ info: clip_model_info) -> JSON {
    var members: [(key: String, value: JSON)] = [
      ("model", .string(model.text)), ("layout", .string(string(info.layout))),
      ("embedding_width", .integer(Int(info.embedding_width))), ("logit_scale", .float(info.logit_scale)),
    ]
    if info.has_logit_bias != 0 { members.append(("logit_bias", .float(info.logit_bias))) }
    members.append(("storage", .string(storageName(info.storage))))
    if has(info, .image) {
      members.append(
        (
          "image",
          [
            "encoder": .string(string(info.image_encoder)), "width": .integer(Int(info.image_width)),
            "height": .integer(Int(info.image_height)), "parameters": .integer(Int(clamping: info.image_parameters)),
          ]
        ))
    }
    if has(info, .text) {
      members.append(
        (
          "text",
          [
            "encoder": .string(string(info.text_encoder)), "context_length": .integer(Int(info.context_length)),
            "vocabulary_size": .integer(Int(info.vocabulary_size)),
            "parameters": .integer(Int(clamping: info.text_parameters)),
          ]
        ))
    }
    return .object(members)
  }

  private func has(_ info: clip_model_info, _ tower: Towers) -> Bool {
    Towers(rawValue: info.towers).contains(tower)
  }

  private func storageName(_ storage: clip_storage) -> String {
    Storage.allCases.first { $0.value == storage }?.rawValue ?? "storage \(storage.rawValue)"
  }
}
