@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// safetensors files that lie. Each must be refused with a status and words that name the file.
@Suite struct MalformedCheckpointTests {
  /// A file as header text and body, to be spoiled.
  struct File {
    var header: String
    var body: Data
    /// What the first eight bytes say instead of the header's length.
    var length: UInt64?

    init(_ data: Data) {
      let count = data.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
      header = String(decoding: data[8..<8 + count], as: UTF8.self).trimmingCharacters(in: .whitespaces)
      body = Data(data[(8 + count)...])
    }

    var bytes: Data {
      let text = Data(header.utf8)
      return withUnsafeBytes(of: (length ?? UInt64(text.count)).littleEndian) { Data($0) } + text + body
    }

    /// Changes the one entry of the header that `name` is the key of.
    mutating func edit(_ name: String, _ change: (inout [String: Any]) -> Void) throws {
      guard var root = try JSONSerialization.jsonObject(with: Data(header.utf8)) as? [String: Any],
        var entry = root[name] as? [String: Any]
      else { throw SupportError("no \(name) in the header") }
      change(&entry)
      root[name] = entry
      header = String(decoding: try JSONSerialization.data(withJSONObject: root, options: [.sortedKeys]), as: UTF8.self)
    }

    func offsets(_ name: String) throws -> [Int] {
      let root = try JSONSerialization.jsonObject(with: Data(header.utf8)) as? [String: Any]
      guard let entry = root?[name] as? [String: Any], let offsets = entry["data_offsets"] as? [Int] else {
        throw SupportError("no offsets of \(name)")
      }
      return offsets
    }

    /// Replaces the first occurrence in the header.
    mutating func replace(_ old: String, _ new: String) throws {
      guard let range = header.range(of: old) else { throw SupportError("no \(old) in the header") }
      header.replaceSubrange(range, with: new)
    }
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let statuses: [CLIPStatus]
    let spoil: @Sendable (inout File) throws -> Void
    var testDescription: String { name }

    init(
      _ name: String, _ statuses: [CLIPStatus] = [CLIPStatus.format],
      _ spoil: @escaping @Sendable (inout File) throws -> Void
    ) {
      self.name = name
      self.statuses = statuses
      self.spoil = spoil
    }
  }

  /// A tensor of [48] float32, and one of [48, 32].
  static let vector = "ln_final.bias"
  static let matrix = "text_projection"

  static let cases: [Case] = [
    Case("header length past the end") { $0.length = UInt64($0.bytes.count) },
    Case("header length zero") { $0.length = 0 },
    Case("header length one") { $0.length = 1 },
    Case("header over 100 MB", [CLIPStatus.format, CLIPStatus.limit]) { $0.length = 100_000_001 },
    Case("header length 2^31", [CLIPStatus.format, CLIPStatus.limit]) { $0.length = 1 << 31 },
    Case("header length 2^63", [CLIPStatus.format, CLIPStatus.limit]) { $0.length = 1 << 63 },
    Case("header length 2^64 - 1", [CLIPStatus.format, CLIPStatus.limit]) { $0.length = .max },
    Case("header length 2^64 - 8", [CLIPStatus.format, CLIPStatus.limit]) { $0.length = .max - 7 },
    Case("header is an array") { $0.header = "[]" },
    Case("header is null") { $0.header = "null" },
    Case("header is a string") { $0.header = "\"F32\"" },
    Case("header is empty") { $0.header = "" },
    Case("header is blank") { $0.header = "        " },
    Case("header ends early") { $0.header.removeLast() },
    Case("header goes on after its object") { $0.header += "{}" },
    Case("header has a NUL", [CLIPStatus.format]) { $0.header += "\0" },
    Case("header is nested 100,000 deep", [CLIPStatus.format, CLIPStatus.limit]) {
      $0.header = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
    },
    Case("an entry nested deep", [CLIPStatus.format, CLIPStatus.limit]) {
      $0.header = "{\"a\":" + String(repeating: "{\"a\":", count: 50_000) + "1" + String(repeating: "}", count: 50_001)
    },
    Case("the same tensor twice") { file in
      let offsets = try file.offsets(vector)
      file.header.removeLast()
      file.header += ",\"\(vector)\":{\"dtype\":\"F32\",\"shape\":[48],\"data_offsets\":[\(offsets[0]),\(offsets[1])]}}"
    },
    Case("the same key twice in an entry") {
      try $0.replace("\"dtype\":\"F32\"", "\"dtype\":\"F32\",\"dtype\":\"F32\"")
    },
    Case("an entry is null") { try $0.replace("{\"data_offsets\"", "null,\"x\":{\"data_offsets\"") },
    Case("an entry is an array") { try $0.replace("{\"data_offsets\"", "[],\"x\":{\"data_offsets\"") },
    Case("no dtype") { try $0.edit(vector) { $0["dtype"] = nil } },
    Case("no shape") { try $0.edit(vector) { $0["shape"] = nil } },
    Case("no offsets") { try $0.edit(vector) { $0["data_offsets"] = nil } },
    Case("dtype is a number") { try $0.edit(vector) { $0["dtype"] = 32 } },
    Case("dtype is unknown", [CLIPStatus.format, CLIPStatus.unsupported]) {
      try $0.edit(vector) { $0["dtype"] = "Q4_K" }
    },
    Case("dtype is empty", [CLIPStatus.format, CLIPStatus.unsupported]) { try $0.edit(vector) { $0["dtype"] = "" } },
    Case("dtype too narrow for the bytes") { try $0.edit(vector) { $0["dtype"] = "F16" } },
    Case("dtype too wide for the bytes") { try $0.edit(vector) { $0["dtype"] = "F64" } },
    Case("dtype of integers", [CLIPStatus.format, CLIPStatus.unsupported, CLIPStatus.mismatch]) {
      try $0.edit(vector) { $0["dtype"] = "I32" }
    },
    Case("shape is a number") { try $0.edit(vector) { $0["shape"] = 48 } },
    Case("shape has a string") { try $0.edit(vector) { $0["shape"] = ["48"] } },
    Case("shape has a fraction") { try $0.edit(vector) { $0["shape"] = [48.5] } },
    Case("shape is negative") { try $0.edit(vector) { $0["shape"] = [-48] } },
    Case("shape is twice negative") { try $0.edit(vector) { $0["shape"] = [-6, -8] } },
    Case("shape times size overflows") { try $0.edit(vector) { $0["shape"] = [1 << 62, 48] } },
    Case("shape's product overflows to what is there") {
      try $0.edit(vector) { $0["shape"] = [1 << 32, 1 << 32, 48] }
    },
    Case("shape is larger than an integer") { try $0.replace("\"shape\":[48]", "\"shape\":[99999999999999999999]") },
    Case("shape larger than the bytes") { try $0.edit(vector) { $0["shape"] = [49] } },
    Case("shape smaller than the bytes") { try $0.edit(vector) { $0["shape"] = [47] } },
    Case(
      "shape of 1,000 dimensions", [CLIPStatus.format, CLIPStatus.limit, CLIPStatus.unsupported, CLIPStatus.mismatch]
    ) {
      try $0.edit(vector) { $0["shape"] = [Int](repeating: 1, count: 999) + [48] }
    },
    Case("offsets are three") {
      try $0.edit(vector) { $0["data_offsets"] = ($0["data_offsets"] as? [Int] ?? []) + [1] }
    },
    Case("offsets are one") { try $0.edit(vector) { $0["data_offsets"] = [0] } },
    Case("offsets are strings") { try $0.edit(vector) { $0["data_offsets"] = ["0", "192"] } },
    Case("offsets are swapped") {
      try $0.edit(vector) { $0["data_offsets"] = Array(($0["data_offsets"] as? [Int] ?? []).reversed()) }
    },
    Case("offsets are negative") { try $0.edit(vector) { $0["data_offsets"] = [-192, 0] } },
    Case("offsets past the end") { file in
      let end = file.body.count
      try file.edit(vector) { $0["data_offsets"] = [end, end + 192] }
    },
    Case("offsets near 2^63") { try $0.edit(vector) { $0["data_offsets"] = [Int.max - 191, Int.max] } },
    Case("two tensors overlap") { file in
      let other = try file.offsets("ln_final.weight")
      try file.edit(vector) { $0["data_offsets"] = other }
    },
    Case("a hole before the first tensor") { $0.body = Data(count: 8) + $0.body },
    Case("bytes after the last tensor") { $0.body += Data(count: 8) },
    Case("a hole in the middle") { file in
      // What follows the vector moves by 64 bytes.
      let first = try file.offsets(vector)[1]
      guard var root = try JSONSerialization.jsonObject(with: Data(file.header.utf8)) as? [String: Any] else { return }
      for (key, value) in root {
        guard var entry = value as? [String: Any], let offsets = entry["data_offsets"] as? [Int], offsets[0] >= first
        else { continue }
        entry["data_offsets"] = offsets.map { $0 + 64 }
        root[key] = entry
      }
      file.header = String(decoding: try JSONSerialization.data(withJSONObject: root), as: UTF8.self)
      file.body = file.body.prefix(first) + Data(count: 64) + file.body.dropFirst(first)
    },
    Case("the body ends a byte early") { $0.body.removeLast() },
    Case("half of the body") { $0.body = $0.body.prefix($0.body.count / 2) },
    Case("no body") { $0.body = Data() },
    Case("name is not UTF-8", [CLIPStatus.format, CLIPStatus.mismatch]) {
      try $0.replace("\"\(vector)\"", "\"\\ud800\"")
    },
  ]

  @Test(arguments: cases) func isRefused(_ item: Case) throws {
    let folder = try ModelFolder.copy(of: ModelFolder.reference("vit-tiny"))
    let url = folder.file("open_clip_model.safetensors")
    var file = File(try Data(contentsOf: url))
    try item.spoil(&file)
    try FileManager.default.removeItem(at: url)
    try file.bytes.write(to: url)
    let failure = try #require(throws: CLIPError.self) { try Model(folder.url) }
    #expect(item.statuses.contains(failure.status), "\(failure)")
    // A mismatch is between the folder's files, and names the tensor.
    let place = failure.status == .mismatch ? "ln_final.bias" : "open_clip_model.safetensors"
    #expect(failure.message.contains(place), "\(failure)")
  }

  /// The file that all of them start from is good.
  @Test func theUnspoiledFileOpens() throws {
    let folder = try ModelFolder.copy(of: ModelFolder.reference("vit-tiny"))
    let url = folder.file("open_clip_model.safetensors")
    let file = File(try Data(contentsOf: url))
    try FileManager.default.removeItem(at: url)
    try file.bytes.write(to: url)
    _ = try Model(folder.url)
  }

  @Test func cutAnywhere() throws {
    let folder = try ModelFolder.copy(of: ModelFolder.reference("vit-tiny"))
    let url = folder.file("open_clip_model.safetensors")
    let whole = try Data(contentsOf: url)
    for cut in [0, 1, 7, 8, 9, 100, 1000, 8000, whole.count / 3, whole.count - 4, whole.count - 1] {
      try FileManager.default.removeItem(at: url)
      try Data(whole.prefix(cut)).write(to: url)
      let failure = #expect(throws: CLIPError.self, "cut at \(cut)") { try Model(folder.url) }
      #expect(failure?.status == .format, "cut at \(cut): \(String(describing: failure))")
    }
  }

  /// A header that is really over 100 MB, in a file with a hole, is refused without reading it.
  @Test(.timeLimit(.minutes(1))) func largeSparseHeader() throws {
    let folder = try ModelFolder.copy(of: ModelFolder.reference("vit-tiny"))
    let url = folder.file("open_clip_model.safetensors")
    let file = try FileHandle(forWritingTo: url)
    try file.write(contentsOf: withUnsafeBytes(of: UInt64(110_000_000).littleEndian) { Data($0) })
    try file.truncate(atOffset: 120_000_000)
    try file.close()
    let failure = try #require(throws: CLIPError.self) { try Model(folder.url) }
    #expect([CLIPStatus.format, CLIPStatus.limit].contains(failure.status), "\(failure)")
  }

  @Test func foldersAndFiles() throws {
    let good = try ModelFolder.reference("vit-tiny")
    let files = FileManager.default
    let nowhere = try #require(throws: CLIPError.self) { try Model(good.appending(path: "nowhere")) }
    #expect(nowhere.status == .notFound && nowhere.message.contains("nowhere"), "\(nowhere)")
    let file = try #require(throws: CLIPError.self) { try Model(good.appending(path: "vocab.json")) }
    #expect([CLIPStatus.io, CLIPStatus.notFound, CLIPStatus.invalidArgument].contains(file.status), "\(file)")
    #expect(file.message.contains("vocab.json"))
    let empty = try TemporaryFolder()
    let nothing = try #require(throws: CLIPError.self) { try Model(empty.url) }
    #expect(nothing.status == .notFound && nothing.message.contains("config"), "\(nothing)")
    for name in ["open_clip_model.safetensors", "open_clip_config.json", "vocab.json", "merges.txt"] {
      let folder = try ModelFolder.copy(of: good)
      try files.removeItem(at: folder.file(name))
      let absent = try #require(throws: CLIPError.self, "\(name)") { try Model(folder.url) }
      #expect(absent.status == .notFound, "\(absent)")
      try files.createDirectory(at: folder.file(name), withIntermediateDirectories: false)
      let directory = try #require(throws: CLIPError.self, "\(name)") { try Model(folder.url) }
      #expect(directory.message.contains(name), "\(directory)")
    }
    let pickle = try ModelFolder.copy(of: good)
    try files.moveItem(at: pickle.file("open_clip_model.safetensors"), to: pickle.file("open_clip_pytorch_model.bin"))
    _ = try Model(pickle.url)  // safetensors, whatever their name
    try Data("not weights".utf8).write(to: pickle.file("open_clip_pytorch_model.bin"))
    let unknown = try #require(throws: CLIPError.self) { try Model(pickle.url) }
    #expect(unknown.status == .unsupported, "\(unknown)")
  }
}
