import CClip
@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// Plugins that are broken, each in a way of its own.
@Suite struct PluginTests {
  /// Compiles a source of Tests/C/plugins to `file`.
  static func compile(_ source: String, _ definitions: [String] = [], to file: URL) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments =
      [
        "cc", "-std=c11", "-w", "-shared", "-fPIC", "-fvisibility=hidden", "-I",
        Paths.root.appending(path: "Include").path,
      ]
      + definitions.map { "-D" + $0 }
      + [Paths.root.appending(path: "Tests/C/plugins/\(source).c").path, "-o", file.path]
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw SupportError("\(source).c does not compile") }
  }

  /// How one breaks, what the message says of it, and what a scan does: the item alone may be left out.
  struct Broken: CustomTestStringConvertible, Sendable {
    let define: String
    let words: [String]
    var testDescription: String { define }
    init(_ define: String, _ words: String...) {
      self.define = define
      self.words = words
    }
  }

  static let broken = [
    Broken("BROKEN_VERSION", "expected plugin interface 2.", "found 1.7"),
    Broken("BROKEN_NO_ENTRY", "clip_plugin_entry", "found none"),
    Broken("BROKEN_NULL_TABLE", "returned no table"),
    Broken("BROKEN_SYMBOL", "cannot be loaded: undefined symbol: this_symbol_is_nowhere"),
    Broken("BROKEN_TABLE_SIZE", "expected a plugin table of 48 bytes, found 40"),
    Broken("BROKEN_NO_SIZE", "expected a plugin table of 48 bytes, found 0"),
    Broken("BROKEN_NO_ID", "expected an id, a version and a license, found a null pointer"),
    Broken("BROKEN_NO_LICENSE", "expected an id, a version and a license, found a null pointer"),
    Broken("BROKEN_ID", "expected an id of a-z", "\"Test Grey!\""),
    Broken("BROKEN_NULL_ITEMS", "expected a list of at most 4096 items, found a null pointer"),
    Broken("BROKEN_NO_ITEMS", "brings nothing"),
    Broken("BROKEN_MANY_ITEMS", "expected a list of at most 4096 items, found 18446744073709551615"),
    Broken("BROKEN_ITEM=1", "expected a table of", "found 8"),
    Broken("BROKEN_ITEM=2", "expected an id and a description, found a null pointer"),
    Broken("BROKEN_ITEM=3", "expected an id of a-z", "\"test encoder\""),
    Broken("BROKEN_ITEM=4", "expected an id and a description, found a null pointer"),
    Broken("BROKEN_ITEM=5", "test.encoder.grey: expected all functions and sizes of a clip_encoder, found no build"),
    Broken("BROKEN_ITEM=6", "brings nothing"),
    Broken("BROKEN_NULL_ITEM", "table is a null pointer"),
    Broken("BROKEN_CODEC", "test.codec.none: expected all functions and sizes of a clip_image_codec, found no "),
    Broken("BROKEN_KERNELS", "test.kernels.none: expected all functions and sizes of a clip_kernels, found no "),
    Broken("BROKEN_TWICE", "test.encoder.grey was already loaded from"),
  ]

  /// Loaded by name it is an error with the reason; in a folder it is skipped with a warning. Nothing changes.
  func expectBroken(_ file: URL, _ words: [String], keepsRest: Bool = false) throws {
    let log = LogBook()
    let runtime = try Runtime(log: log.handler)
    let before = try runtime.plugins().map(\.id)
    #expect(clip_plugin_load(runtime.handle, file.path) == CLIP_PLUGIN)
    let message = String(cString: clip_last_error())
    for word in words + [file.lastPathComponent] { #expect(message.contains(word), "\(message)") }
    #expect(try runtime.plugins().map(\.id) == before)

    let logged = log.lines.count
    #expect(clip_plugin_load(runtime.handle, file.deletingLastPathComponent().path) == CLIP_OK)
    let warnings = log.lines.dropFirst(logged).joined(separator: "\n")
    for word in words + ["skipped", file.lastPathComponent] { #expect(warnings.contains(word), "\(warnings)") }
    #expect(try runtime.plugins().count == before.count + (keepsRest ? 1 : 0))
  }

  @Test(arguments: broken) func brokenPlugins(_ broken: Broken) throws {
    let folder = try TemporaryFolder()
    let file = folder.file("broken.so")
    try Self.compile("broken", [broken.define], to: file)
    try expectBroken(file, broken.words, keepsRest: broken.define == "BROKEN_TWICE")
  }

  /// Files that are no library of this machine, or not all of one.
  @Test(arguments: [
    "empty", "text", "head", "machine", "class", "order", "type", "half", "most", "no-headers", "far", "negative",
  ])
  func brokenFiles(_ kind: String) throws {
    let folder = try TemporaryFolder()
    let file = folder.file("broken.so")
    try Self.compile("grey", to: file)
    var bytes = try Data(contentsOf: file)
    let words: [String]
    switch kind {
    case "empty": (bytes, words) = (Data(), ["expected a shared library (ELF)"])
    case "text": (bytes, words) = (Data("hello\n".utf8), ["expected a shared library (ELF)"])
    case "head": (bytes, words) = (bytes.prefix(40), ["expected 64 bytes, found 40: the file is cut short"])
    case "machine":
      bytes[18] = 183
      words = ["expected code for x86-64, found code for AArch64"]
    case "class":
      bytes[4] = 1
      words = ["expected a library of 64 bits"]
    case "order":
      bytes[5] = 2
      words = ["expected a library of 64 bits, little-endian"]
    case "type":
      bytes[16] = 2
      words = ["expected a shared library, found an ELF file of type 2"]
    case "half": (bytes, words) = (bytes.prefix(bytes.count / 2), ["the file is cut short"])
    case "most": (bytes, words) = (bytes.dropLast(1), ["the file is cut short"])
    case "no-headers":
      bytes[56] = 0
      bytes[57] = 0
      words = ["expected program headers"]
    case "far":  // the program headers begin beyond what a file can have
      for i in 32..<40 { bytes[i] = 0xff }
      words = ["the file is cut short"]
    default:  // a segment of nearly 2^64 bytes
      let headers = Int(bytes[32]) | Int(bytes[33]) << 8
      for i in headers + 32..<headers + 40 { bytes[i] = 0xff }
      words = ["the file is cut short"]
    }
    try Data(bytes).write(to: file)
    try expectBroken(file, words)
  }

  @Test func whatIsNoFile() throws {
    let runtime = try Runtime()
    #expect(clip_plugin_load(runtime.handle, "/nowhere/none.so") == CLIP_NOT_FOUND)
    #expect(clip_plugin_load(runtime.handle, "/dev/null") == CLIP_IO)
    #expect(clip_plugin_load(runtime.handle, nil) == CLIP_INVALID_ARGUMENT)
    #expect(clip_plugin_load(nil, "/nowhere/none.so") == CLIP_INVALID_ARGUMENT)
    #expect(clip_plugin_register(runtime.handle, nil) == CLIP_INVALID_ARGUMENT)
    #expect(clip_plugin_register(runtime.handle, { nil }) == CLIP_PLUGIN)
    for call in [clip_plugin_unload, clip_plugin_reload] {
      #expect(call(runtime.handle, "no.such.plugin") == CLIP_NOT_FOUND)
      #expect(String(cString: clip_last_error()).contains("no.such.plugin"))
      #expect(call(runtime.handle, "") == CLIP_NOT_FOUND)
      #expect(call(runtime.handle, nil) == CLIP_INVALID_ARGUMENT)
      #expect(call(nil, "no.such.plugin") == CLIP_INVALID_ARGUMENT)
    }
  }

  /// Ids of plugins and of what they bring belong to the first that has them, until it is unloaded.
  @Test func duplicateIds() throws {
    let folder = try TemporaryFolder()
    let (first, second, third) = (folder.file("a.so"), folder.file("b.so"), folder.file("c.so"))
    try Self.compile("grey", to: first)
    try Self.compile("grey", ["GREY_ITEM=\"test.encoder.other\""], to: second)
    try Self.compile("grey", ["GREY_PLUGIN=\"test.other\""], to: third)
    let runtime = try Runtime()
    try runtime.loadPlugin(first.path)
    for (file, words) in [
      (first, "the plugin test.grey"), (second, "the plugin test.grey"), (third, "test.encoder.grey"),
    ] {
      #expect(clip_plugin_load(runtime.handle, file.path) == CLIP_PLUGIN)
      let message = String(cString: clip_last_error())
      #expect(message.contains("\(file.path): \(words) was already loaded from \(first.path)"), "\(message)")
    }
    try runtime.unloadPlugin("test.grey")
    try runtime.loadPlugin(third.path)
    try runtime.loadPlugin(second.path)
    #expect(clip_plugin_load(runtime.handle, first.path) == CLIP_PLUGIN)
    try runtime.unloadPlugin(third.path)
    let left = try runtime.plugins().map(\.plugin)
    #expect(left.contains("test.grey") && !left.contains("test.other"))
  }

  @Test func reloadKeepsThePlace() throws {
    let folder = try TemporaryFolder()
    let (grey, other) = (folder.file("grey.so"), folder.file("other.so"))
    try Self.compile("grey", to: grey)
    try Self.compile("grey", ["GREY_PLUGIN=\"test.other\"", "GREY_ITEM=\"test.encoder.other\""], to: other)
    let runtime = try Runtime()
    try runtime.loadPlugin(grey.path)
    try runtime.loadPlugin(other.path)
    let before = try runtime.plugins()
    try Self.compile("grey", ["GREY_VERSION=2"], to: grey)
    try runtime.reloadPlugin("test.grey")
    let after = try runtime.plugins()
    #expect(before.map(\.id) == after.map(\.id))
    #expect(before.map(\.description).contains("version 1"))
    #expect(after.map(\.description).contains("version 2"))

    // Its ids may change, but not to another's. An error leaves the old one.
    try Self.compile("grey", ["GREY_ITEM=\"test.encoder.other\""], to: grey)
    #expect(clip_plugin_reload(runtime.handle, "test.grey") == CLIP_PLUGIN)
    try Data("no library".utf8).write(to: grey)
    #expect(clip_plugin_reload(runtime.handle, grey.path) == CLIP_PLUGIN)
    try FileManager.default.removeItem(at: grey)
    #expect(clip_plugin_reload(runtime.handle, grey.path) == CLIP_NOT_FOUND)
    #expect(try runtime.plugins().map(\.description).contains("version 2"))
    try Self.compile("grey", ["GREY_PLUGIN=\"test.third\"", "GREY_ITEM=\"test.encoder.third\""], to: grey)
    try runtime.reloadPlugin("test.grey")
    #expect(try runtime.plugins().map(\.plugin).contains("test.third"))
    #expect(clip_plugin_reload(runtime.handle, "test.grey") == CLIP_NOT_FOUND)
  }
}
