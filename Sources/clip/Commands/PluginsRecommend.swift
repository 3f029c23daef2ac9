import ArgumentParser

struct PluginsRecommend: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recommend",
    abstract: "Say which of the loaded encoders suits a task, and why.",
    usage: "clip plugins recommend --need <name>[:<weight>] ... [<options>]",
    discussion: """
      Needs that encoders declare themselves: local-detail, global-context, texture, multi-scale, \
      small-data. Found by the host: low-latency, few-parameters. A weight is a number above 0, 1 \
      where none is given. Encoders are compared by the example configurations they come with.

        clip plugins recommend --need texture:2 low-latency --max-parameters 30000000
      """)

  @Option(
    name: .customLong("need"), parsing: .upToNextOption,
    help: ArgumentHelp("What counts, and how much.", valueName: "name[:weight]"))
  var needs: [String]

  @Flag(help: "Compare text encoders instead of image encoders.")
  var text = false

  @Option(help: ArgumentHelp("Leave out encoders with more.", valueName: "n"))
  var maxParameters: UInt64 = 0

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
    var task = clip_task()
    task.tower = UInt32(text ? CLIP_TOWER_TEXT : CLIP_TOWER_IMAGE)
    task.max_parameters = maxParameters
    task.max_milliseconds = maxMilliseconds
    task.flags = measure ? UInt32(CLIP_RECOMMEND_MEASURE) : 0
    let list = try common.runtime().recommend(task, needs: needs.joined(separator: ","))
    try StandardOutput.write(common.json ? json(list).pretty() + "\n" : table(list))
  }

  private func table(_ list: [RecommendedEncoder]) -> String {
    guard !list.isEmpty else { return "No encoder that is loaded fits.\n" }
    var table = Table([
      ("score", .right), ("encoder", .left), ("parameters", .right), ("G multiply-adds", .right),
      (measure ? "ms" : "", .right), ("why", .left),
    ])
    for item in list {
      table.add([
        fixed(Double(item.facts.score), 2), item.id, grouped(item.facts.parameters),
        fixed(Double(item.facts.multiply_adds) / 1e9, 2), measure ? fixed(item.facts.milliseconds, 1) : "",
        visible(item.reasons),
      ])
    }
    return table.text()
  }

  private func json(_ list: [RecommendedEncoder]) -> JSON {
    let items = list.map { item -> JSON in
      var members: [(key: String, value: JSON)] = [
        ("id", .string(item.id)), ("score", .float(item.facts.score)),
        ("parameters", .integer(Int(clamping: item.facts.parameters))),
        ("multiply_adds", .integer(Int(clamping: item.facts.multiply_adds))), ("reasons", .string(item.reasons)),
      ]
      if measure { members.append(("milliseconds", .float(Float(item.facts.milliseconds)))) }
      return .object(members)
    }
    return ["encoders": .array(items)]
  }
}
