@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// What each kind of source means.
@Suite struct DatasetFormatTests {
  let data: DataFolder
  init() throws { data = try DataFolder() }

  func read(_ sources: [String], _ change: (inout DatasetOptions) -> Void = { _ in }) throws -> [Sample] {
    try Dataset(
      sources,
      DatasetOptions {
        $0.flags = .ordered; change(&$0)
      }
    ).rest()
  }

  func pairs(_ items: [Sample]) -> [String] { items.map { "\($0.key): \($0.caption)" } }

  static func tar(_ arguments: [String], in folder: URL) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/tar")
    process.arguments = arguments
    process.currentDirectoryURL = folder
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw SupportError("tar \(arguments) failed") }
  }

  @Test(arguments: ["v7", "ustar", "gnu", "oldgnu", "pax"]) func archivesOfEveryFormat(_ format: String) throws {
    try data.write("set/a.png", DataFolder.image)
    try data.write("set/a.txt", " first\n")
    try data.write("set/b.v2.png", DataFolder.image)
    try data.write("set/b.txt", "second")
    let long = String(repeating: "long", count: format == "v7" || format == "ustar" ? 20 : 60)
    try data.write("set/\(long).png", DataFolder.image)
    try data.write("set/\(long).txt", "über 漢字")
    let path = data.path("a.tar")
    try Self.tar(["--format=\(format)", "--sort=name", "-cf", path, "set"], in: data.folder.url)
    let dataset = try Dataset([path], DatasetOptions { $0.flags = [.ordered, .files] })
    let items = try dataset.rest()
    #expect(pairs(items) == ["set/a: first", "set/\(long): über 漢字"])
    #expect(items.allSatisfy { $0.file == DataFolder.image })
    // An image is one by what follows the first dot.
    #expect(try dataset.counters().withoutImage == 1 && dataset.counters().damagedShards == 0)
  }

  @Test func webDatasetKeys() throws {
    let path = try data.tar { tar in
      tar.file("d.e/a.png", DataFolder.image)
      tar.file("d.e/a.txt", Data("one".utf8))
      tar.header("d.e", size: "00000000000", type: "5")
      tar.file("README", Data("no pair".utf8))
      tar.file(".hidden.png", DataFolder.image)
      tar.file("b.seg.png", DataFolder.image)
      tar.file("b.PNG", DataFolder.image)
      tar.file("b.jpg", Data("a second image is not looked at".utf8))
      tar.file("b.json", Data(#"{"caption": "two"}"#.utf8))
      tar.file("b.cls", Data("7".utf8))
      tar.file("c.png", DataFolder.image, prefix: "left")
      tar.file("c.txt", Data("three".utf8), prefix: "left")
      tar.end()
      tar.raw(Data("what follows the end is not read".utf8))
    }
    #expect(pairs(try read([path])) == ["d.e/a: one", "b: two", "left/c: three"])
  }

  /// WebDataset's file of a class is a field as the caption's own file is, and none of the usual ones.
  @Test func classFiles() throws {
    let path = try data.tar { tar in
      tar.file("a.png", DataFolder.image)
      tar.file("a.cls", Data(" 7\n".utf8))
      tar.file("a.txt", Data("one".utf8))
      tar.file("b.CLS", Data("cat".utf8))
      tar.file("b.cls", Data("dog".utf8))
      tar.file("b.png", DataFolder.image)
      tar.file("c.png", DataFolder.image)
      tar.file("c.json", Data(#"{"cls": "bird", "txt": "three"}"#.utf8))
      tar.file("d.png", DataFolder.image)
      tar.file("d.txt", Data("four".utf8))
      tar.end()
    }
    for (name, text) in [
      ("a.cls", " 7\n"), ("a.txt", "one"), ("b.cls", "cat"), ("c.json", #"{"cls": "bird", "txt": "three"}"#),
      ("d.txt", "four"),
    ] {
      try data.write("set/\(name)", text)
    }
    for key in ["a", "b", "c", "d"] { try data.write("set/\(key).png", DataFolder.image) }
    for source in [path, data.path("set")] {
      let labels = try read([source]) { ($0.captionFields, $0.maxBadShare) = (["cls"], 1) }
      #expect(pairs(labels) == ["a: 7", "b: cat", "c: bird"])
      #expect(try pairs(read([source]) { $0.maxBadShare = 1 }) == ["a: one", "d: four"])
      let both = try read([source]) {
        ($0.captionFields, $0.maxBadShare) = (["cls", "txt"], 1)
        $0.flags.insert(.allCaptions)
      }
      #expect(both.map(\.captions) == [["7", "one"], ["cat"], ["bird", "three"], ["four"]])
    }
  }

  @Test func allCaptionsOfAPair() throws {
    let path = try data.tar { tar in
      for (key, json) in [
        ("a", #"{"en": "one", "words": ["two", " three ", ""], "de": null}"#), ("b", #"{"words": "four"}"#),
        ("c", #"{"words": []}"#),
        ("d", #"{"words": ["five", 6]}"#), ("e", #"{"en": "s\u0000ix", "words": "seven"}"#),
        ("f", #"{"de": "acht", "en": "eight"}"#),
      ] {
        tar.file("\(key).png", DataFolder.image)
        tar.file("\(key).json", Data(json.utf8))
      }
      tar.end()
    }
    let items = try read([path]) {
      $0.flags.insert(.allCaptions)
      $0.captionFields = ["en", "words", "de"]
      $0.maxBadShare = 1
    }
    #expect(items.map(\.key) == ["a", "b", "f"])
    #expect(items.map(\.captions) == [["one", "two", "three"], ["four"], ["eight", "acht"]])
    #expect(items.allSatisfy { $0.captions.contains($0.caption) })
    #expect(
      try read([path]) {
        $0.captionFields = ["en"]; $0.maxBadShare = 1
      }.allSatisfy { $0.captions.isEmpty })
  }

  @Test func longNamesAndPaxHeaders() throws {
    let long = String(repeating: "n", count: 150)
    let path = try data.tar { tar in
      tar.pax([("comment", "about all")], global: true)
      tar.file("././@LongLink", Data("\(long).png\0".utf8), type: "L")
      tar.file("short.png", DataFolder.image)
      tar.file("././@LongLink", Data("\(long).txt\0".utf8), type: "L")
      tar.file("short.txt", Data("one".utf8))
      tar.pax([("mtime", "1.5"), ("path", "ü/漢字.png"), ("SCHILY.xattr.user", "a=b\nc")])
      tar.file("other.png", DataFolder.image)
      tar.pax([("path", "ü/漢字.txt"), ("size", "3")])
      // pax's size counts, and may be larger than octal digits hold.
      tar.header("other.txt", size: "00000000000")
      tar.data(Data("two".utf8))
      // GNU's binary size.
      tar.header("z.png", size: "") { block in
        block[124] = 0x80
        block[134] = UInt8(DataFolder.image.count >> 8)
        block[135] = UInt8(DataFolder.image.count & 255)
      }
      tar.data(DataFolder.image)
      tar.file("z.txt", Data("three".utf8))
      tar.end()
    }
    #expect(
      pairs(try read([path]) { $0.flags.insert(.files) }) == ["\(long): one", "ü/漢字: two", "z: three"])
  }

  @Test func captionsOfJSON() throws {
    let path = try data.tar { tar in
      for number in 0..<60 {
        tar.file("\(number).png", DataFolder.image)
        tar.file("\(number).txt", Data("text".utf8))
        tar.file(
          "\(number).json", Data(#"{"name": "name", "words": ["w0", "w1", "", "w2"], "none": null, "empty": []}"#.utf8))
      }
      tar.end()
    }
    #expect(Set(try read([path]).map(\.caption)) == ["text"])
    #expect(Set(try read([path]) { $0.captionFields = ["name"] }.map(\.caption)) == ["name"])
    let all = try read([path]) { $0.captionFields = ["txt", "name", "words", "none", "empty"] }.map(\.caption)
    #expect(Set(all) == ["text", "name", "w0", "w1", "w2"])
    // Fields are drawn before their captions.
    #expect((10...30).contains(all.count { $0.hasPrefix("w") }))
    #expect(
      all
        != (try read([path]) {
          $0.captionFields = ["txt", "name", "words"]; $0.seed = 2
        }.map(\.caption)))
    for number in 0..<60 where number % 20 == 0 {
      #expect(
        all[number...]
          == (try read([path]) { $0.captionFields = ["txt", "name", "words", "none"] }.map(\.caption))[number...])
    }
  }

  @Test func commaSeparatedValues() throws {
    for name in ["a b.png", "c,d.png", "e\"f.png"] { try data.write(name, DataFolder.image) }
    let path = try data.write(
      "t.csv",
      "\u{FEFF}id,filepath,title\r\n1,a b.png,plain\r\n\r\n2,\"c,d.png\",\"with, comma\"\r\n"
        + "3,\"e\"\"f.png\",\"two\nlines, \"\"quoted\"\"\"\r\n4,./a b.png,5\" wide, more,extra\n5,a b.png,last")
    #expect(
      pairs(try read([path]) { $0.flags.insert(.files) }) == [
        "a b.png: plain", "c,d.png: with, comma", "e\"f.png: two\nlines, \"quoted\"", "a b.png: last",
      ])
    #expect(try read([path]) { $0.captionFields = ["id"] }.map(\.caption) == ["1", "2", "3", "5"])
    let tabs = try data.write("t.tsv", "image\ttext\nsub/../a b.png\tout\na b.png\tone, two\t\n")
    #expect(try read([tabs]) { $0.maxBadShare = 1 }.map(\.caption) == ["one, two"])
  }

  @Test func jsonLines() throws {
    try data.write("p/a.png", DataFolder.image)
    let path = try data.write(
      "t.jsonl",
      #"{"file_name": "p/a.png", "text": "one"}"# + "\n\n  \n" + #"{"image": "p/a.png", "caption": ["two"]}"# + "\r\n"
        + #"{"path": "p/a.png", "caption": "three", "text": "not this"}"#)
    #expect(try read([path]) { $0.maxBadShare = 1 }.map(\.caption) == ["one", "two", "three"])
  }

  @Test func foldersAndTheirFolders() throws {
    for name in ["b.png", "a.jpg.png", "sub/deep/c.PNG", "sub.png", ".hidden/x.png", "no-caption.png"] {
      try data.write("f/\(name)", DataFolder.image)
    }
    for (name, text) in [("b", "two"), ("a.jpg", "one"), ("sub/deep/c", "four"), ("sub", "three"), ("README", "none")] {
      try data.write("f/\(name).txt", text)
    }
    try data.write("f/j.webp", DataFolder.image)
    try data.write("f/j.json", "\u{FEFF}" + #"{"text": "json"}"#)
    try FileManager.default.createSymbolicLink(
      at: data.folder.file("f/loop"), withDestinationURL: data.folder.file("f"))
    let dataset = try Dataset([data.path("f")], DatasetOptions { $0.flags = .ordered })
    #expect(pairs(try dataset.rest()) == ["a.jpg: one", "b: two", "j: json", "sub/deep/c: four", "sub: three"])
    #expect(try dataset.counters().withoutCaption == 1)
  }

  @Test func patterns() throws {
    for name in ["s-008.tar", "s-009.tar", "s-010.tar", "x.tar", "y.tar", "odd{1}.tar"] { try data.shard(name, 0..<1) }
    func count(_ pattern: String) throws -> Int { try read([data.path(pattern)]).count }
    #expect(try count("s-{008..010}.tar") == 3)
    #expect(try count("s-{010..008}.tar") == 3)
    #expect(try count("s-0{08,09}.tar") == 2)
    #expect(try count("{s-0{08,10},{x,y}}.tar") == 4)
    #expect(try count("s-00{8..9}.t{a,a}r") == 4)
    #expect(try count("odd{1}.tar") == 1)
    for (pattern, status) in [
      ("s-{008..011}.tar", CLIPStatus.notFound), ("s-{008..010.tar", CLIPStatus.invalidArgument),
      ("s-008}.tar", CLIPStatus.invalidArgument),
      ("s-{}.tar", CLIPStatus.invalidArgument), ("s-{1}.tar", CLIPStatus.invalidArgument),
      ("s-{a..c}.tar", CLIPStatus.invalidArgument),
      ("s-{-1..3}.tar", CLIPStatus.invalidArgument), ("s-{1..}.tar", CLIPStatus.invalidArgument),
      ("s-{..}.tar", CLIPStatus.invalidArgument),
      ("s-{1...3}.tar", CLIPStatus.invalidArgument), ("s-{0..99999999}.tar", CLIPStatus.limit),
      ("{0..999}{0..999}{0..999}", CLIPStatus.limit),
      ("s-{0..99999999999999999999}.tar", CLIPStatus.invalidArgument),
      (String(repeating: "{", count: 500), CLIPStatus.invalidArgument),
      (String(repeating: "{a,", count: 20) + String(repeating: "}", count: 20), CLIPStatus.invalidArgument),
      (String(repeating: "x", count: 5000), CLIPStatus.limit), ("none.tar", CLIPStatus.notFound),
      ("x.zip", CLIPStatus.notFound),
    ] {
      let failure = #expect(throws: CLIPError.self, "\(pattern.prefix(40))") { try read([data.path(pattern)]) }
      #expect(
        failure?.status == status && failure?.message.isEmpty == false,
        "\(pattern.prefix(40)): \(String(describing: failure))")
    }
  }

  @Test func pixelsAndTokensAreTheModels() throws {
    let model = try Model(Paths.emoji)
    let names = ["cat.png", "sailboat.jpg", "penguin.webp"]
    for name in names {
      let source = Paths.root.appending(path: "Examples/images/\(name)")
      try data.write("m/\(name)", Data(contentsOf: source))
      try data.write("m/\(name.prefix { $0 != "." }).txt", "An image: \(name)")
    }
    let items = try Dataset(
      [data.path("m")],
      DatasetOptions {
        $0.flags = [.ordered, .images]; $0.workers = 2
      }, model: model
    ).rest()
    #expect(items.map(\.key) == ["cat", "penguin", "sailboat"])
    for item in items {
      let name = try #require(names.first { $0.hasPrefix(item.key) })
      let image = try model.runtime.load(data.folder.file("m/\(name)"))
      #expect(item.image == image.bytes)
      #expect(item.pixels == (try model.preprocess([image])))
      #expect(Array(item.tokens.prefix { $0 != item.tokens.last || $0 == item.tokens[0] }).count > 0)
      let tokens = try model.tokenize(["An image: \(name)"])[0]
      #expect(Array(item.tokens.prefix(tokens.count)) == tokens)
    }
    // A long caption is cut, not refused.
    try data.write("m/cat.txt", String(repeating: "many words ", count: 400))
    #expect(try Dataset([data.path("m")], model: model).rest().count == 3)
  }

  @Test func variedByAPipeline() throws {
    let runtime = try Runtime()
    let pipeline = try Pipeline(#"[{"op": "random_horizontal_flip", "p": 0.5}]"#, runtime: runtime)
    let texts = try Pipeline("[]", runtime: runtime)
    let cat = try Data(contentsOf: Paths.root.appending(path: "Examples/images/cat.png"))
    for number in 0..<20 {
      try data.write("v/\(number).png", cat)
      try data.write("v/\(number).txt", "cat")
    }
    func images(_ workers: Int, seed: UInt64 = 5) throws -> [[UInt8]] {
      let options = DatasetOptions {
        ($0.flags, $0.seed, $0.workers) = ([.ordered, .images], seed, workers)
        ($0.imagePipeline, $0.textPipeline, $0.epochs) = (pipeline, texts, 2)
      }
      return try Dataset([data.path("v")], options, runtime: runtime).rest().map(\.image)
    }
    let first = try images(1)
    #expect(Set(first).count == 2)
    #expect(first[..<20] != first[20...])
    #expect(try images(3) == first)
    #expect(try images(1, seed: 6) != first)
  }

  /// An op that takes no alpha sees the background, and not what lies under transparent pixels.
  @Test func composedBeforeItIsVaried() throws {
    let model = try Model(Paths.emoji)
    let pipeline = try Pipeline(#"[{"op": "color_jitter", "brightness": [1, 1]}]"#, runtime: model.runtime)
    try data.write("a/1.png", try Data(contentsOf: Paths.root.appending(path: "Tests/Fixtures/codecs/rgba8.png")))
    try data.write("a/1.txt", "see-through")
    func pixels(_ pipeline: Pipeline?, _ background: Color?) throws -> [Float] {
      let options = DatasetOptions { ($0.imagePipeline, $0.encode.background) = (pipeline, background) }
      return try Dataset([data.path("a")], options, model: model).rest()[0].pixels
    }
    #expect(try pixels(pipeline, Color(red: 255, green: 0, blue: 0)) == pixels(nil, Color(red: 255, green: 0, blue: 0)))
    #expect(try pixels(pipeline, nil) == pixels(nil, nil))
    #expect(try pixels(nil, Color(red: 255, green: 0, blue: 0)) != pixels(nil, nil))
  }
}
