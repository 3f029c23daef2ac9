import ArgumentParser
import CClip

struct PluginsCheck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Look a plugin file over: each check in a process of its own, so that a crash is a result.",
    usage: "clip plugins check <file> [<options>]",
    discussion: """
      Loads and unloads the file; builds its encoders, runs them with made-up weights, and gives them \
      configurations that are wrong; calls its ops, gradients included; its augmentations with \
      parameters, images and texts of all kinds; gives its codecs bytes that are no image and its tokenizers \
      those that are no model; compares its kernels with the reference. Exit code 1 when something is wrong.

        clip plugins check my-net.so --config '{"image_height": 64, "image_width": 64}'
      """)

  @Argument(help: "The plugin's file.")
  var file: ByteString

  @Option(help: ArgumentHelp("What encoders are built with (default: their own example).", valueName: "json"))
  var config: ByteString?

  @Option(
    help: ArgumentHelp(
      "An image for codecs: it must decode, and spoilt copies of it must not crash.", valueName: "file"))
  var image: ByteString?

  @Option(
    help: ArgumentHelp(
      "A model file for tokenizers: it must open, and spoilt copies of it must not crash.", valueName: "file"))
  var model: ByteString?

  @Flag(help: "Write one JSON document instead of text for people.")
  var json = false

  @Option(help: .hidden)
  var only: String?

  @Option(help: .hidden)
  var scratch: ByteString?

  func run() throws {
    if let only, let scratch { return try check(only, Report(only), scratch) }
    let (findings, items) = try withTemporaryFolder { (folder) throws(CLIPError) in try all(folder) }
    let failed = findings.count { $0.verdict == .fail }
    try StandardOutput.write(json ? document(findings, items, failed).pretty() + "\n" : table(findings, failed))
    if failed > 0 { throw ExitCode(1) }
  }

  // MARK: One check, in a process of its own

  private func check(_ name: String, _ report: Report, _ scratch: ByteString) throws {
    do throws(CLIPError) {
      let words = name.split(separator: " ").map(String.init)
      let index = words.count > 1 ? Int(words[1]) ?? 0 : 0
      let encoder = EncoderCheck(file: file, index: index, config: config?.text)
      switch words.first {
      case "load": try LoadCheck.run(file, report)
      case "reload": try LoadCheck.again(file, report)
      case "build": try encoder.build(report)
      case "encode": try encoder.encode(report, scratch: scratch)
      case "configs": try encoder.fuzz(report)
      case "op": try OpCheck(file, index, report).run()
      case "codec": try CodecCheck.run(file, index, sample: image, report)
      case "image", "text":
        let kind = words[0] == "image" ? CLIP_KIND_IMAGE_AUGMENTATION : CLIP_KIND_TEXT_AUGMENTATION
        try AugmentationCheck(file, index, kind, report).run()
      case "tokenizer": try TokenizerCheck(file, index, report).run(model: model)
      case "kernels": try EncoderCheck.kernels(file, index, report, scratch: scratch)
      default: throw CLIPError("no check is called \(name)")
      }
    } catch {
      try report.fail(error.message)
    }
  }

  // MARK: All of them

  private func all(_ scratch: ByteString) throws(CLIPError) -> ([Finding], [CheckProcess.Item]) {
    // Read here, so that a missing file is an ordinary error.
    _ = try readFile(file)
    var options: [ByteString] = []
    if let config { options += ["--config", config] }
    if let image { options += ["--image", image] }
    if let model { options += ["--model", model] }
    let process = CheckProcess(file: file, options: options)
    let loaded = try process.run("load", scratch: scratch)
    var findings = loaded.findings
    guard !findings.contains(where: { $0.verdict == .fail }) || !loaded.items.isEmpty else { return (findings, []) }
    var checks = ["reload"]
    for item in loaded.items {
      switch clip_plugin_kind(item.kind) {
      case CLIP_KIND_ENCODER: checks += ["build \(item.index)", "encode \(item.index)", "configs \(item.index)"]
      case CLIP_KIND_OP: checks.append("op \(item.index)")
      case CLIP_KIND_IMAGE_CODEC: checks.append("codec \(item.index)")
      case CLIP_KIND_IMAGE_AUGMENTATION: checks.append("image \(item.index)")
      case CLIP_KIND_TEXT_AUGMENTATION: checks.append("text \(item.index)")
      case CLIP_KIND_TOKENIZER: checks.append("tokenizer \(item.index)")
      case CLIP_KIND_KERNELS: checks.append("kernels \(item.index)")
      default:
        findings.append(
          Finding(verdict: .note, check: "load", text: "\(item.id): there is no check of kind \(item.kind)"))
      }
    }
    for check in checks {
      let found = try process.run(check, scratch: scratch).findings
      findings += found.map { finding in
        let words = check.split(separator: " ")
        guard words.count > 1, let index = Int(words[1]), let item = loaded.items.first(where: { $0.index == index })
        else {
          return finding
        }
        return Finding(verdict: finding.verdict, check: "\(words[0]) \(item.id)", text: finding.text)
      }
    }
    return (findings, loaded.items)
  }

  private func table(_ findings: [Finding], _ failed: Int) -> String {
    var table = Table([("", .left), ("", .left), ("", .left)])
    for finding in findings { table.add([finding.verdict.rawValue, visible(finding.check), visible(finding.text)]) }
    return table.text() + (failed == 0 ? "nothing is wrong\n" : "\(counted(failed, "fault"))\n")
  }

  private func document(_ findings: [Finding], _ items: [CheckProcess.Item], _ failed: Int) -> JSON {
    let list = findings.map { finding -> JSON in
      ["verdict": .string(finding.verdict.rawValue), "check": .string(finding.check), "text": .string(finding.text)]
    }
    let brought = items.map { item -> JSON in
      ["kind": .string(PluginKind(rawValue: item.kind)?.name ?? "kind \(item.kind)"), "id": .string(item.id)]
    }
    return ["file": .string(file.text), "items": .array(brought), "findings": .array(list), "faults": .integer(failed)]
  }
}
