import ArgumentParser
import Glibc

struct PluginsNew: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "new",
    abstract: "Write a folder with a small plugin that builds, to begin from.",
    usage: "clip plugins new <name> [--kind <kind>] [--language <language>] [<options>]",
    discussion: """
      The folder is named for the plugin. In it, `make` builds <name>.so and `clip plugins check \
      <name>.so` looks it over; set PKG_CONFIG_PATH where clipcore is not installed in the system's own \
      place.

        clip plugins new my-net --kind encoder --language c
      """)

  @Argument(help: "The plugin's name: a-z, 0-9 and '-'.")
  var name: String

  @Option(help: "encoder, augmentation, op or image-codec.")
  var kind = "encoder"

  @Option(help: "c, cpp, rust or swift.")
  var language = "c"

  @Option(help: "What ids start with.")
  var vendor = "local"

  @Option(help: ArgumentHelp("Where to make the folder (default: here).", valueName: "dir"))
  var into = ByteString(".")

  func validate() throws {
    for (what, word) in [("the name", name), ("--vendor", vendor)] {
      guard let first = word.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first), word.utf8.count <= 64,
        word.utf8.allSatisfy({ (97...122).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-") })
      else { throw ValidationError("\(what) is \"\(word)\": expected a-z, 0-9 and '-', a letter first") }
    }
  }

  func run() throws {
    let root = try installed("share/clipcore/examples")
    let source = root.appending(Array("\(kind)/\(language)".utf8))
    let files = examples(in: source)
    guard !kind.contains("/"), !language.contains("/"), !files.isEmpty else {
      var known: [String] = []
      for kind in examples(in: root) {
        let languages = examples(in: root.appending(kind.bytes)).map(\.text)
        if !languages.isEmpty { known.append("\(kind.text) (\(languages.joined(separator: ", ")))") }
      }
      throw CLIPError("there is no \(kind) in \(language) to begin from; there are \(known.joined(separator: ", "))")
    }
    let folder = into.appending(Array(name.utf8))
    guard folder.withCString({ mkdir($0, 0o777) }) == 0 else { throw CLIPError.system("cannot make \(folder.shown)") }
    for file in files {
      let target = folder.appending(renamed(file.bytes))
      let bytes = renamed(try readFile(source.appending(file.bytes)))
      try OutputFile.write(to: target) { (writer) throws(CLIPError) in try writer.write(bytes) }
    }
    try StandardOutput.write("\(folder.shown): make, then clip plugins check \(name).so\n")
  }

  /// Replaces the example's name and vendor. The op of a pipeline is a word without '-'.
  private func renamed(_ bytes: [UInt8]) -> [UInt8] {
    let op = name.utf8.map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 }
    let names = [("sample_op", op), ("sample", Array(name.utf8)), ("example.", Array("\(vendor).".utf8))]
    var result: [UInt8] = []
    var at = 0
    while at < bytes.count {
      if let (old, new) = names.first(where: { bytes[at...].starts(with: $0.0.utf8) }) {
        result += new
        at += old.utf8.count
      } else {
        result.append(bytes[at])
        at += 1
      }
    }
    return result
  }
}

/// A path such as "share/clipcore" in the prefix in which this program is installed.
func installed(_ path: String) throws(CLIPError) -> ByteString {
  var program = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
  let count = readlink("/proc/self/exe", &program, program.count - 1)
  guard count > 0 else { throw .system("cannot find this program's own file") }
  return ByteString(program[0..<count].map { UInt8(bitPattern: $0) }).folder.folder.appending(Array(path.utf8))
}

/// The names in a folder, except those that start with a dot; none if it is unreadable.
private func examples(in folder: ByteString) -> [ByteString] {
  ((try? names(in: folder)) ?? []).filter { $0.bytes.first != UInt8(ascii: ".") }
}

/// The bytes of a file.
func readFile(_ path: ByteString) throws(CLIPError) -> [UInt8] {
  let descriptor = path.withCString { open($0, O_RDONLY | O_CLOEXEC) }
  guard descriptor >= 0 else { throw .system("cannot open \(path.shown)") }
  defer { close(descriptor) }
  var bytes: [UInt8] = []
  var block = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = read(descriptor, &block, block.count)
    if count < 0 && errno == EINTR { continue }
    guard count >= 0 else { throw .system("cannot read \(path.shown)") }
    if count == 0 { return bytes }
    bytes += block[..<count]
  }
}
