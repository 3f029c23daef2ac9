import ArgumentParser

struct PluginsRecommend: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recommend",
    abstract: "Say which of the loaded encoders suits a task, and why.",
    usage: "clip plugins recommend --need <name>[:<weight>] ... [<options>]",
    discussion: """
      Needs that encoders declare themselves: local-detail, global-context, texture, multi-scale, \
      small-data. Found by the host: low-latency, few-parameters. A weight is a number above 0, 1 \
      if none is given. Encoders are compared by the example configurations they come with.

        clip plugins recommend --need texture:2 low-latency --max-parameters 30000000
      """)

  @Option(
    name: .customLong("need"), parsing: .upToNextOption,
    help: ArgumentHelp("What counts, and how much.", valueName: "name[:weight]"))
  var needs: [String]

  @Flag(help: "Compare text encoders instead of image encoders.")
  var text = false

  @Option(help: ArgumentHelp("Leave out encoders with more.", valueName: "n"))
  var maxParameters = 0

  @Flag(help: "Run each encoder once on this machine, with weights of zero; takes seconds each.")
  var measure = false

  @Option(help: ArgumentHelp("Leave out encoders that take longer for one item; with --measure.", valueName: "ms"))
  var maxMilliseconds: Double = 0

  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard !needs.isEmpty else { throw ValidationError("--need: expected at least one") }
    guard maxMilliseconds == 0 || measure else { throw ValidationError("--max-milliseconds needs --measure") }
  }

  func run() throws {
    let list = try common.runtime().recommendEncoders(
      needs: needs.joined(separator: ","), tower: text ? .text : .image, maxParameters: maxParameters,
      maxMilliseconds: maxMilliseconds, measure: measure)
    try StandardOutput.write(common.json ? json(list).pretty() + "\n" : table(list))
  }

  private func table(_ list: [Recommendation]) -> String {
    guard !list.isEmpty else { return "No encoder that is loaded fits.\n" }
    var table = Table([
      ("score", .right), ("encoder", .left), ("parameters", .right), ("G multiply-adds", .right),
      (measure ? "ms" : "", .right), ("why", .left),
    ])
    for item in list {
      table.add([
        fixed(Double(item.score), 2), item.id, grouped(UInt64(item.parameters)),
        fixed(Double(item.multiplyAdds) / 1e9, 2), item.milliseconds.map { fixed($0, 1) } ?? "",
        visible(item.reasons),
      ])
    }
    return table.text()
  }

  private func json(_ list: [Recommendation]) -> JSON {
    let items = list.map { item -> JSON in
      var members: [(key: String, value: JSON)] = [
        ("id", .string(item.id)), ("score", .float(item.score)), ("parameters", .integer(item.parameters)),
        ("multiply_adds", .integer(item.multiplyAdds)), ("reasons", .string(item.reasons)),
      ]
      if let milliseconds = item.milliseconds { members.append(("milliseconds", .float(Float(milliseconds)))) }
      return .object(members)
    }
    return ["encoders": .array(items)]
  }
}
