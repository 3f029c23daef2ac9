import ArgumentParser

struct Plugins: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List plugins; check one, begin a new one, or ask which encoder suits a task.",
    subcommands: [PluginsList.self, PluginsCheck.self, PluginsNew.self, PluginsRecommend.self],
    defaultSubcommand: PluginsList.self)
}

struct PluginsList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the encoders, ops, image codecs, tokenizers and kernels that are loaded.",
    usage: "clip plugins [<options>]",
    discussion: """
      Plugins come from --plugins, then from the folders in CLIP_PLUGIN_PATH, then from clipcore/plugins \
      beside the library. Those in its folder on-demand are loaded when a model asks for them.

        clip plugins --plugins build/plugins
      """)

  @OptionGroup var common: CommonOptions

  func run() throws {
    let plugins = try common.runtime().plugins()
    try StandardOutput.write(common.json ? json(plugins).pretty() + "\n" : table(plugins))
  }

  private func table(_ plugins: [PluginInfo]) -> String {
    let waiting = Self.onDemand()
    guard !plugins.isEmpty || !waiting.isEmpty else { return "No plugins are loaded.\n" }
    var table = Table([
      ("kind", .left), ("id", .left), ("version", .left), ("license", .left), ("in use", .left), ("what", .left),
      ("file", .left),
    ])
    for plugin in plugins {
      table.add([
        plugin.kindName, plugin.id, plugin.version, plugin.license, plugin.isActive ? "yes" : "no",
        visible(plugin.description), plugin.path.isEmpty ? "built in" : visible(plugin.path),
      ])
    }
    for file in waiting {
      table.add(["", "", "", "", "on demand", "loaded when a model asks for it", visible(file.text)])
    }
    return table.text()
  }

  /// The files of plugins in the folder "on-demand" that are not loaded yet.
  private static func onDemand() -> [ByteString] {
    guard let folder = try? installed("lib/clipcore/plugins/on-demand"), let names = try? names(in: folder) else {
      return []
    }
    return names.filter { $0.fileExtension == "so" }.map { folder.appending($0.bytes) }
  }

  private func json(_ plugins: [PluginInfo]) -> JSON {
    let list = plugins.map { plugin -> JSON in
      [
        "kind": .string(plugin.kindName), "id": .string(plugin.id), "description": .string(plugin.description),
        "version": .string(plugin.version), "license": .string(plugin.license), "path": .string(plugin.path),
        "active": .bool(plugin.isActive),
      ]
    }
    return ["plugins": .array(list), "on_demand": .array(Self.onDemand().map { .string($0.text) })]
  }
}

extension PluginKind {
  /// The name in messages.
  var name: String {
    switch self {
    case .encoder: "encoder"
    case .imageCodec: "image codec"
    case .kernels: "kernels"
    case .loader: "loader"
    case .imageAugmentation: "image augmentation"
    case .textAugmentation: "text augmentation"
    case .weights: "weights"
    case .tokenizer: "tokenizer"
    case .op: "op"
    }
  }
}

extension PluginInfo {
  fileprivate var kindName: String { kind?.name ?? "unknown kind" }
}
