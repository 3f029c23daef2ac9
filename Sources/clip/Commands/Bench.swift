import ArgumentParser
import Glibc

/// Times encode calls. --json prints lines in the form of Benchmarks/peers.
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Time how long a model takes to encode.",
    usage: "clip bench --model <dir> [<options>]",
    discussion: """
      Each row is the median of as many calls as fit in --seconds, divided by the batch.

        clip bench --model vit-b-32 --threads 2 --batch 1,8,32
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var common: CommonOptions

  @Option(help: ArgumentHelp("Batch sizes, separated by commas.", valueName: "n,…"))
  var batch = "1,8,32"

  @Option(
    help: ArgumentHelp("Which towers to time, separated by commas; the others are not opened.", valueName: "image,text")
  )
  var tower = "image,text"

  @Option(help: ArgumentHelp("Tokens of each text, start and end counted.", valueName: "n"))
  var tokens = 7

  @Option(help: ArgumentHelp("Seconds to measure each row for.", valueName: "s"))
  var seconds = 5.0

  mutating func validate() throws {
    guard !batches.isEmpty, batches.allSatisfy({ (1...4096).contains($0) }) else {
      throw ValidationError("--batch is \(batch): expected numbers from 1 to 4096")
    }
    guard !towers.isEmpty, towers.allSatisfy({ ["image", "text"].contains($0) }) else {
      throw ValidationError("--tower is \(tower): expected image, text or image,text")
    }
    guard tokens >= 2 else { throw ValidationError("--tokens is \(tokens): expected at least 2") }
    guard seconds > 0, seconds <= 3600 else { throw ValidationError("--seconds is \(seconds): expected up to 3600") }
  }

  private var batches: [Int] { batch.split(separator: ",").map { Int($0) ?? 0 } }

  private var towers: [String] { tower.split(separator: ",").map(String.init) }

  func run() throws {
    let model = try model.open(try common.runtime(), Towers(towers.map { $0 == "image" ? .image : .text }))
    var table = Table([("tower", .left), ("batch", .right), ("ms each", .right), ("each second", .right)])
    for tower in towers {
      for count in batches {
        let milliseconds = try median(tower, model, count) / Double(count)
        if common.json {
          let line: JSON = .object([
            ("peer", .string("clipcore")), ("tower", .string(tower)), ("batch", .integer(count)),
            ("threads", .integer(common.threadCount)), ("ms", .float(Float(milliseconds))),
          ])
          try StandardOutput.write(line.compact() + "\n")
        } else {
          table.add([tower, "\(count)", fixed(milliseconds, 2), fixed(1000 / milliseconds, 1)])
        }
      }
    }
    if !common.json { try StandardOutput.write(table.text()) }
  }

  /// The median time of a call in milliseconds.
  private func median(_ tower: String, _ model: Model, _ count: Int) throws -> Double {
    let call: () throws -> Void
    if tower == "image" {
      let pixels = (0..<(count * model.info.pixelCount)).map { sinf(Float($0) * 0.37) }
      call = { _ = try model.encode(pixels: pixels) }
    } else {
      let rows = Array(repeating: row(model.info), count: count).flatMap { $0 }
      call = { _ = try model.encode(tokens: rows) }
    }
    try call()
    try call()
    var times: [Double] = []
    let start = now()
    while times.count < 5 || now() - start < seconds * 1000 {
      let before = now()
      try call()
      times.append(now() - before)
    }
    return times.sorted()[times.count / 2]
  }

  /// A text of `tokens` tokens in CLIP's form, between the last two tokens of the vocabulary.
  private func row(_ info: ModelInfo) -> [Int32] {
    let length = info.contextLength
    let used = min(tokens, length)
    var row = [Int32](repeating: 0, count: length)
    for index in 0..<used { row[index] = Int32(index % max(1, info.vocabularySize - 2)) }
    row[0] = Int32(clamping: info.vocabularySize - 2)
    row[used - 1] = Int32(clamping: info.vocabularySize - 1)
    return row
  }

  private func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) / 1e6
  }
}
