import CLIP
import CLIPTools
import Foundation
import Support

extension DatasetOptions {
  /// Those of most tests, with changes.
  init(_ change: (inout DatasetOptions) -> Void) {
    self.init()
    (seed, batchSize) = (1, 4)
    change(&self)
  }
}

/// What a batch has of one sample.
struct Sample: Equatable {
  var key = ""
  var caption = ""
  var epoch = 0
  var tokens: [Int32] = []
  var pixels: [Float] = []
  var file = Data()
  var image: [UInt8] = []
  var captions: [String] = []
}

extension DatasetBatch {
  var samples: [Sample] {
    func part<T>(_ all: [T], _ index: Int) -> [T] {
      let each = all.count / count
      return Array(all[index * each..<(index + 1) * each])
    }
    return (0..<count).map { index in
      Sample(
        key: keys[index], caption: captions[index], epoch: epoch, tokens: part(tokens, index),
        pixels: part(pixels, index), file: files.isEmpty ? Data() : Data(files[index]),
        image: images.isEmpty ? [] : images[index].bytes, captions: allCaptions.isEmpty ? [] : allCaptions[index])
    }
  }
}

extension Dataset {
  convenience init(
    _ sources: [String], _ options: DatasetOptions = .init { _ in }, model: Model? = nil, runtime: Runtime? = nil
  ) throws {
    try self.init(sources, runtime: try runtime ?? model?.runtime ?? Runtime(), model: model, options: options)
  }

  /// The next batch, empty at the end.
  func samples() throws -> [Sample] { try next()?.samples ?? [] }

  /// Everything up to the end.
  func rest() throws -> [Sample] {
    var all: [Sample] = []
    while let batch = try next() { all += batch.samples }
    return all
  }

  var bad: Int { get throws { try counters().bad } }
}

/// Files for data sets in a folder of their own.
final class DataFolder {
  let folder: TemporaryFolder
  static let image = (try? Data(contentsOf: Paths.fixtures.appending(path: "codecs/gray1.png"))) ?? Data()

  init() throws { folder = try TemporaryFolder() }

  func path(_ name: String) -> String { folder.file(name).path }

  @discardableResult func write(_ name: String, _ data: Data) throws -> String {
    let file = folder.file(name)
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try data.write(to: file)
    return file.path
  }

  @discardableResult func write(_ name: String, _ text: String) throws -> String { try write(name, Data(text.utf8)) }

  /// A shard of pairs `numbers`, with captions "caption <number>".
  @discardableResult func shard(_ name: String, _ numbers: Range<Int>) throws -> String {
    var tar = TarWriter()
    for number in numbers {
      tar.file("\(number).png", Self.image)
      tar.file("\(number).txt", Data("caption \(number)".utf8))
    }
    tar.end()
    return try write(name, tar.bytes)
  }

  func tar(_ build: (inout TarWriter) -> Void) throws -> String {
    var tar = TarWriter()
    build(&tar)
    return try write("\(UUID().uuidString).tar", tar.bytes)
  }
}
