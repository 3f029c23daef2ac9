@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// Data that lies: what is bad is counted, what is good is given, and nothing traps.
@Suite struct MalformedDatasetTests {
  let data: DataFolder
  init() throws { data = try DataFolder() }

  static func good(_ tar: inout TarWriter) {
    tar.file("good.png", DataFolder.image)
    tar.file("good.txt", Data("good".utf8))
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let spoil: @Sendable (inout TarWriter) -> Void
    var testDescription: String { name }
    init(_ name: String, _ spoil: @escaping @Sendable (inout TarWriter) -> Void) {
      self.name = name
      self.spoil = spoil
    }
  }

  /// What damages an archive after its first pair.
  static let damages: [Case] = [
    Case("no end marker") { _ in },
    Case("cut in a header") { $0.raw(Data("half a header".utf8)) },
    Case("a block that is no header") {
      $0.raw(Data(repeating: 7, count: 512)); $0.end()
    },
    Case("cut in the data") {
      $0.header("x.png", size: "00000001000"); $0.raw(Data(count: 100))
    },
    Case("a size beyond the file") {
      $0.header("x.png", size: "00077777777"); $0.end()
    },
    Case("the largest octal size") {
      $0.header("x.png", size: "77777777777"); $0.end()
    },
    Case("an octal size without its end") {
      $0.header("x.png", size: "777777777777"); $0.end()
    },
    Case("a negative octal size") {
      $0.header("x.png", size: "-0000000001"); $0.end()
    },
    Case("a size that is no number") {
      $0.header("x.png", size: "00000z00000"); $0.end()
    },
    Case("a size with a gap") {
      $0.header("x.png", size: "0000 000010"); $0.end()
    },
    Case("an empty size") {
      $0.header("x.png", size: ""); $0.end()
    },
    Case("a decimal 8 in a size") {
      $0.header("x.png", size: "00000000008"); $0.end()
    },
    Case("a negative binary size") {
      $0.header("x.png", size: "") { for i in 124..<136 { $0[i] = 0xff } }; $0.end()
    },
    Case("the largest binary size") {
      $0.header("x.png", size: "") {
        $0[124] = 0x80; for i in 125..<136 { $0[i] = 0xff }
      }; $0.end()
    },
    Case("a binary size of 2^63 - 1") {
      $0.header("x.png", size: "") {
        $0[124] = 0x80; $0[128] = 0x7f; for i in 129..<136 { $0[i] = 0xff }
      }
      $0.end()
    },
    Case("a binary size of 2^62") {
      $0.header("x.png", size: "") {
        $0[124] = 0x80; $0[128] = 0x40
      }; $0.end()
    },
    Case("a long name that goes on for ever") {
      $0.header("n", size: "00077777777", type: "L"); $0.end()
    },
    Case("a long name of 1 MB") {
      $0.file("n", Data(repeating: 97, count: 1 << 20), type: "L"); good(&$0); $0.end()
    },
    Case("a pax header of 2 MB") {
      $0.pax([("comment", String(repeating: "c", count: 2 << 20))]); good(&$0); $0.end()
    },
    Case("a pax name of 64 KB") {
      $0.pax([("path", String(repeating: "p", count: 1 << 16))]); good(&$0); $0.end()
    },
    Case("pax garbage") {
      $0.file("x", Data("garbage".utf8), type: "x"); $0.end()
    },
    Case("a pax length of 0") {
      $0.file("x", Data("0 path=x\n".utf8), type: "x"); $0.end()
    },
    Case("a pax length beyond its data") {
      $0.file("x", Data("999 path=x\n".utf8), type: "x"); $0.end()
    },
    Case("a huge pax length") {
      $0.file("x", Data("99999999999999999999 path=x\n".utf8), type: "x"); $0.end()
    },
    Case("a negative pax length") {
      $0.file("x", Data("-1 path=x\n".utf8), type: "x"); $0.end()
    },
    Case("a pax record without its line end") {
      $0.file("x", Data("10 path=xy".utf8), type: "x"); $0.end()
    },
    Case("a pax record without =") {
      $0.file("x", Data("7 path\n".utf8), type: "x"); $0.end()
    },
    Case("a pax length inside its key") {
      $0.file("x", Data("3 path=x\n".utf8), type: "x"); $0.end()
    },
    Case("a pax name with a NUL") {
      $0.pax([("path", "a\0b.png")]); good(&$0); $0.end()
    },
    Case("a pax size that is no number") {
      $0.pax([("size", "many")]); good(&$0); $0.end()
    },
    Case("a huge pax size") {
      $0.pax([("size", "99999999999999999999999")]); good(&$0); $0.end()
    },
    Case("a negative pax size") {
      $0.pax([("size", "-512")]); good(&$0); $0.end()
    },
    Case("a pax size beyond the file") {
      $0.pax([("size", "9223372036854775807")]); good(&$0); $0.end()
    },
    Case("a pax header at the end") { $0.pax([("path", "x.png")]) },
    Case("a sparse file") {
      $0.file("x.png", DataFolder.image, type: "S"); $0.end()
    },
    Case("a pax sparse file") {
      $0.pax([("GNU.sparse.major", "1")]); $0.file("x.png", DataFolder.image); $0.end()
    },
    Case("another checksum") { tar in
      var other = TarWriter()
      other.file("x.png", DataFolder.image)
      var bytes = other.bytes
      bytes[0] ^= 1
      tar.raw(bytes)
      tar.end()
    },
  ]

  @Test(arguments: damages) func damagedArchive(_ damage: Case) throws {
    let path = try data.tar { tar in
      Self.good(&tar)
      damage.spoil(&tar)
    }
    let whole = try data.shard("whole.tar", 0..<3)
    for workers in [1, 3] {
      let dataset = try Dataset(
        [path, whole],
        DatasetOptions {
          $0.flags = .ordered; $0.workers = workers
        })
      #expect(try dataset.rest().map(\.key) == ["good", "0", "1", "2"])
      #expect(try dataset.counters().damagedShards == 1 && dataset.bad <= 1)
    }
  }

  /// Cut anywhere, an archive gives what is whole before the cut.
  @Test func archiveCutAnywhere() throws {
    var tar = TarWriter()
    for number in 0..<3 {
      tar.file("\(number).png", DataFolder.image)
      tar.file("\(number).txt", Data("caption".utf8))
    }
    tar.end()
    let pair = 2048
    for length in Array(stride(from: 0, to: tar.bytes.count, by: 97)) + [
      512, 1024, pair, 2 * pair, tar.bytes.count - 1024,
    ] {
      let path = try data.write("cut.tar", tar.bytes.prefix(length))
      let dataset = try Dataset([path, try data.shard("whole.tar", 7..<8)], DatasetOptions { $0.flags = .ordered })
      let keys = try dataset.rest().map(\.key)
      // The caption's padding may be gone without loss.
      let whole = (length - 1543 + pair) / pair
      #expect(keys == (0..<min(3, max(0, whole))).map(String.init) + ["7"], "\(length)")
      // At whole blocks of its end, of which one will do, nothing is lost.
      #expect(try dataset.counters().damagedShards == (length >= 3 * pair + 512 ? 0 : 1), "\(length)")
    }
  }

  @Test func nothingGoodIsAnError() throws {
    let empty = try data.write("empty.tar", Data())
    let text = try data.write("text.tar", String(repeating: "This is no archive. ", count: 100))
    let bare = try data.tar { $0.end() }
    let table = try data.write("t.csv", "image,caption\n")
    try FileManager.default.createDirectory(at: data.folder.file("nothing"), withIntermediateDirectories: true)
    for source in [empty, text, bare, table, data.path("nothing")] {
      let dataset = try Dataset([source])
      for _ in 0..<2 {
        let failure = #expect(throws: CLIPError.self) { try dataset.samples() }
        #expect(failure?.message.contains("no good sample") == true)
      }
    }
    #expect(try #require(throws: CLIPError.self) { try Dataset([text]).samples() }.message.contains("checksum"))
  }

  @Test func badSamplesAreCountedByReason() throws {
    let path = try data.tar { tar in
      Self.good(&tar)
      tar.file("no-image.txt", Data("text".utf8))
      tar.file("no-caption.png", DataFolder.image)
      tar.file("blank.png", DataFolder.image)
      tar.file("blank.txt", Data(" \n\t ".utf8))
      tar.file("empty.png", Data())
      tar.file("empty.txt", Data("text".utf8))
      tar.file("garbage.png", Data(repeating: 3, count: 700))
      tar.file("garbage.txt", Data("text".utf8))
      tar.file("cut.png", DataFolder.image.prefix(120))
      tar.file("cut.txt", Data("text".utf8))
      tar.file("latin.png", DataFolder.image)
      tar.file("latin.txt", Data([0x66, 0xFC, 0x72]))
      tar.file("nul.png", DataFolder.image)
      tar.file("nul.txt", Data("a\0b".utf8))
      tar.file("json.png", DataFolder.image)
      tar.file("json.json", Data("{\"caption\": ".utf8))
      tar.file("list.png", DataFolder.image)
      tar.file("list.json", Data("[1]".utf8))
      tar.file("number.png", DataFolder.image)
      tar.file("number.json", Data("{\"caption\": 7}".utf8))
      tar.file("deep.png", DataFolder.image)
      tar.file("deep.json", Data(String(repeating: "[", count: 100_000).utf8))
      tar.file("large.png", Data(count: 40000))
      tar.file("large.txt", Data("text".utf8))
      tar.file("novel.png", DataFolder.image)
      tar.file("novel.txt", Data(repeating: 97, count: 2 << 20))
      tar.end()
    }
    let dataset = try Dataset(
      [path], DatasetOptions { ($0.flags, $0.maxFileBytes, $0.workers) = (.images, 30000, 3) })
    #expect(try dataset.rest().map(\.key) == ["good"])
    let counters = try dataset.counters()
    #expect(counters.withoutImage == 1)
    #expect(counters.withoutCaption == 2)
    #expect(counters.badImages == 3)
    #expect(counters.badTexts + counters.tooLarge == 8)
    #expect(counters.tooLarge >= 2 && counters.damagedShards == 0)
  }

  @Test func namesWithDotsReadNothing() throws {
    let secret = try data.write("secret.png", DataFolder.image)
    let path = try data.tar { tar in
      tar.file("../../secret.png", Data("not the file of that name".utf8))
      tar.file("../../secret.txt", Data("text".utf8))
      tar.file("/etc/passwd.png", DataFolder.image)
      tar.file("/etc/passwd.txt", Data("text".utf8))
      tar.end()
    }
    let dataset = try Dataset([path], DatasetOptions { $0.flags = [.ordered, .files] })
    #expect(try dataset.rest().map(\.file) == [Data("not the file of that name".utf8), DataFolder.image])

    let outside = ["../secret.png", "./../secret.png", "x/../../secret.png", secret, "/etc/passwd", "..", ""]
    var csv = "path,caption\nin.png,good\n"
    for path in outside { csv += "\(path),text\n" }
    try data.write("t/in.png", DataFolder.image)
    let table = try data.write("t/t.csv", csv)
    let closed = try Dataset([table], DatasetOptions { $0.flags = .files })
    #expect(try closed.rest().map(\.key) == ["in.png"])
    #expect(try closed.bad == outside.count)
    let open = try Dataset(
      [table], DatasetOptions { $0.flags = [.ordered, .files, .pathsOutside] })
    #expect(try open.rest().map(\.key) == ["in.png", "../secret.png", "./../secret.png", secret, "/etc/passwd"])
  }

  @Test func tables() throws {
    try data.write("a.png", DataFolder.image)
    func run(_ name: String, _ text: String, _ change: (inout DatasetOptions) -> Void = { _ in }) throws -> (
      Dataset, [String]
    ) {
      let dataset = try Dataset(
        [try data.write(name, text)],
        DatasetOptions {
          $0.flags = .ordered; change(&$0)
        })
      return (dataset, try dataset.rest().map(\.caption))
    }
    // Records that are bad alone.
    let (ragged, captions) = try run(
      "r.csv",
      "path,caption\na.png,one\n \t \na.png\n\"a.png\"x,two\na.png,\"three\"\"\"\n,four\na.png,\nnone.png,five\na.png,\u{0}\na.png,six\n"
    ) {
      $0.flags.insert(.files)
    }
    #expect(captions == ["one", "three\"", "six"])
    #expect(
      try ragged.counters().badTexts == 3 && ragged.counters().withoutImage == 2
        && ragged.counters().withoutCaption == 1)
    let short = #expect(throws: CLIPError.self) { try run("s.csv", "path,caption\na.png\n") }
    #expect(
      short?.message.contains("s.csv: record 1: expected at least 2 fields, found 1") == true,
      "\(String(describing: short))")
    // A quote that is never closed hides what follows.
    for text in [
      "path,caption\na.png,one\na.png,\"two\na.png,three\n",
      "path,caption\na.png,one\n\"" + String(repeating: "x,y\n", count: 500_000),
    ] {
      let (open, captions) = try run("o.csv", text)
      #expect(try captions == ["one"] && open.counters().damagedShards == 1)
    }
    let (long, rest) = try run("l.csv", "path,caption\na.png,\(String(repeating: "x", count: 2 << 20))\na.png,two\n")
    #expect(try rest == ["two"] && long.counters().tooLarge == 1)

    for header in [
      "", "\n\n", "path\n", "caption\n", "\"path,caption\n", "Path,Caption\n", "path;caption\n", "\u{0}\u{0}",
    ] {
      let failure = #expect(throws: CLIPError.self, "\(header)") {
        try run("h.csv", header + "a.png,text\n".prefix(header.isEmpty ? 0 : 99))
      }
      #expect(failure?.status == .format, "\(header): \(String(describing: failure))")
    }

    let lines = [
      "1", "null", "[]", "\"text\"", "{", "}", "{\"path\": 1, \"caption\": \"x\"}", "{\"path\": \"a.png\"}",
      "{\"caption\": \"x\"}", "{\"path\": \"a.png\", \"caption\": {}}", "{\"path\": \"a.png\", \"caption\": [1]}",
      "{\"path\": \"a.png\", \"caption\": \"x\", \"caption\": \"y\"}",
      "{\"path\": \"a\\u0000.png\", \"caption\": \"x\"}",
      "{\"path\": [\"a.png\"], \"caption\": \"x\"}", String(repeating: "{\"a\":", count: 3000), "\u{0}",
      String(repeating: "x", count: 2 << 20),
    ]
    let (json, good) = try run(
      "j.jsonl", " \t\r\n" + lines.joined(separator: "\n  \n") + "\n{\"path\": \"a.png\", \"caption\": \"good\"}")
    #expect(good == ["good"])
    #expect(try json.bad == lines.count)
  }

  @Test func tooManyBadOnesStopTheRun() throws {
    func shard(bad: Int) throws -> String {
      try data.tar { tar in
        for number in 0..<200 {
          if number >= bad { tar.file("\(number).png", DataFolder.image) }
          tar.file("\(number).txt", Data("text".utf8))
        }
        tar.end()
      }
    }
    // In no order are more than 10 of the first 100 bad.
    #expect(try Dataset([try shard(bad: 10)]).rest().count == 190)
    for workers in [1, 4] {
      let dataset = try Dataset([try shard(bad: 60)], DatasetOptions { $0.workers = workers })
      let failure = #expect(throws: CLIPError.self) { try dataset.rest() }
      #expect(
        failure?.message.contains("max_bad_share") == true && failure?.message.contains("without an image") == true)
      #expect(try dataset.counters().samples + dataset.bad >= 100)
    }
    // When the bad ones come first, what follows may make them few enough.
    let first = try Dataset([try shard(bad: 30)], DatasetOptions { $0.flags = .ordered })
    let failure = #expect(throws: CLIPError.self) { try first.rest() }
    #expect(
      failure?.message.contains("30 of 200 samples are bad") == true && failure?.message.contains("the last: ") == true)
    #expect(try Dataset([try shard(bad: 15)], DatasetOptions { $0.flags = .ordered }).rest().count == 185)
    #expect(try Dataset([try shard(bad: 60)], DatasetOptions { $0.maxBadShare = 0.5 }).rest().count == 140)
    #expect(try Dataset([try shard(bad: 199)], DatasetOptions { $0.maxBadShare = 1 }).rest().count == 1)
  }

  @Test func sourcesThatAreNone() throws {
    let zip = try data.write("a.zip", "PK")
    for (source, status) in [
      (zip, CLIPStatus.unsupported), ("/dev/null", CLIPStatus.io), ("", CLIPStatus.notFound),
      (data.path("none.csv"), CLIPStatus.notFound),
    ] {
      let failure = #expect(throws: CLIPError.self) { try Dataset([source]) }
      #expect(failure?.status == status, "\(source): \(String(describing: failure))")
    }
    // A shard that goes away after it was found.
    let shard = try data.shard("gone.tar", 0..<5)
    let dataset = try Dataset([shard, try data.shard("here.tar", 5..<6)], DatasetOptions { $0.flags = .ordered })
    try FileManager.default.removeItem(atPath: shard)
    #expect(try dataset.rest().map(\.key) == ["5"])
    #expect(try dataset.counters().damagedShards == 1)
  }

  @Test func columnsThatAreMissing() throws {
    let csv = try data.write("c.csv", "path,caption\na.png,x\n")
    for change: (inout DatasetOptions) -> Void in [{ $0.captionFields = ["title"] }, { $0.imageField = "file" }] {
      let failure = #expect(throws: CLIPError.self) { try Dataset([csv], DatasetOptions(change)) }
      #expect(failure?.status == .format && failure?.message.contains("\"caption\"") == true)
    }
  }
}
