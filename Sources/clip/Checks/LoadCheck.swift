import CClip
import Glibc

/// Scanning: the file alone, then by the host, then again and again.
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

  /// What the host says when it loads the file: every line about it is a failure.
  private static func askHost(_ file: ByteString, _ plugin: LoadedPlugin, _ report: Report) throws(CLIPError) {
    var lines: [String] = []
    var options = clip_runtime_options()
    options.struct_size = UInt32(MemoryLayout<clip_runtime_options>.size)
    options.log = { user, level, message in
      guard level != CLIP_LOG_INFO else { return }
      user?.assumingMemoryBound(to: [String].self).pointee.append(string(message))
    }
    var runtime: OpaquePointer?
    let status = withUnsafeMutablePointer(to: &lines) { list in
      options.log_user = UnsafeMutableRawPointer(list)
      return withCStrings([file]) { paths in
        options.plugin_paths = paths
        options.plugin_path_count = 1
        return clip_runtime_create(&options, &runtime)
      }
    }
    try check(status)
    var known = 0
    for index in 0..<clip_plugin_count(runtime) {
      var info = clip_plugin_info()
      info.struct_size = UInt32(MemoryLayout<clip_plugin_info>.size)
      if clip_plugin_at(runtime, index, &info) == CLIP_OK, string(info.path) == file.text { known += 1 }
    }
    for line in lines where line.contains(": \(file.text): ") { try report.fail("the host says: \(line)") }
    try report.require(
      known == plugin.items.count, "the host took \(known) of \(plugin.items.count) items")
    clip_runtime_release(runtime)
  }

  /// Loaded and unloaded by turns.
  static func again(_ file: ByteString, _ report: Report) throws(CLIPError) {
    for _ in 0..<100 { try LoadedPlugin(file).unload() }
    let before = residentPages()
    for _ in 0..<400 { try LoadedPlugin(file).unload() }
    let grown = residentPages() - before
    try report.require(grown < 256, "500 rounds of load and unload left \(grown * 4) KB behind")
    if report.failures == 0 { try report.pass("500 rounds of load and unload") }
  }
}
