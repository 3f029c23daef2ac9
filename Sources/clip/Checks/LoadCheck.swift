import CClip
import Glibc

/// Checks loading: the file alone, by the host, and repeatedly.
enum LoadCheck {
  static func run(_ file: ByteString, _ report: Report) throws(CLIPError) {
    let start = milliseconds()
    let plugin = try LoadedPlugin(file)
    let taken = milliseconds() - start
    let table = plugin.table.pointee
    try report.require(
      table.id != nil && table.version != nil && table.license != nil, "expected an id, a version and a license")
    try report.require(!plugin.items.isEmpty, "the plugin brings nothing")
    for index in plugin.items.indices {
      guard plugin.items[index].table != nil else {
        try report.fail("item \(index): its table is a null pointer")
        continue
      }
      try Report.item(index, plugin.items[index].kind, plugin.id(of: index))
    }
    try report.require(taken < 100, "loading and scanning took \(fixed(taken, 1)) ms: an entry does no work")
    try askHost(file, plugin, report)
    if report.failures == 0 {
      try report.pass(
        "\(string(table.id)) \(string(table.version)), \(string(table.license)), \(counted(plugin.items.count, "item")), "
          + "loaded in \(fixed(taken, 2)) ms")
    }
  }

  /// Loads the file with a host. Every message of the log about it is a failure.
  private static func askHost(_ file: ByteString, _ plugin: LoadedPlugin, _ report: Report) throws(CLIPError) {
    let lock = Lock()
    nonisolated(unsafe) var lines: [String] = []
    let path = try file.utf8
    let log: LogHandler = { level, message in
      if level != .info { lock.locked { lines.append(message) } }
    }
    let runtime = try Runtime(plugins: [path], log: log)
    let known = try runtime.plugins().count { $0.path == path }
    for line in lines where line.contains(": \(file.text): ") { try report.fail("the host says: \(line)") }
    try report.require(
      known == plugin.items.count, "the host took \(known) of \(plugin.items.count) items")
  }

  /// Loads and unloads the file repeatedly.
  static func again(_ file: ByteString, _ report: Report) throws(CLIPError) {
    for _ in 0..<100 { try LoadedPlugin(file).unload() }
    let before = residentPages()
    for _ in 0..<400 { try LoadedPlugin(file).unload() }
    let grown = residentPages() - before
    try report.require(grown < 256, "500 rounds of load and unload left \(grown * 4) KB behind")
    if report.failures == 0 { try report.pass("500 rounds of load and unload") }
  }
}
