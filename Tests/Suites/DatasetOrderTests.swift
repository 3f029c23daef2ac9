@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support
import Testing

/// The order of samples, its parts, and going on from a state.
@Suite struct DatasetOrderTests {
  let data: DataFolder
  /// Three shards, a table and a folder: 100 pairs.
  let sources: [String]
  static let count = 100

  init() throws {
    data = try DataFolder()
    for (shard, numbers) in [(0, 0..<17), (1, 17..<18), (2, 18..<50)] { try data.shard("s\(shard).tar", numbers) }
    var table = "path,caption\n"
    for number in 50..<75 {
      try data.write("\(number).png", DataFolder.image)
      table += "\(number).png,\"caption\n\(number)\"\n"
    }
    let csv = try data.write("t.csv", table)
    for number in 75..<100 {
      try data.write("f/\(number % 3)/\(number).png", DataFolder.image)
      try data.write("f/\(number % 3)/\(number).txt", "caption \(number)")
    }
    sources = [data.path("s{0..2}.tar"), csv, data.path("f")]
  }

  func keys(_ change: (inout DatasetOptions) -> Void = { _ in }) throws -> [String] {
    try Dataset(sources, DatasetOptions(change)).rest().map(\.key)
  }

  @Test(arguments: [1, 2, 7, 64, 0]) func everySampleOnceAnEpoch(_ buffer: Int) throws {
    let items = try Dataset(
      sources,
      DatasetOptions {
        $0.epochs = 3; $0.shuffleBuffer = buffer; $0.workers = 2
      }
    ).rest()
    #expect(items.count == 3 * Self.count)
    var orders: [[String]] = []
    for epoch in 0..<3 {
      let keys = items.filter { $0.epoch == epoch }.map(\.key)
      #expect(keys.count == Self.count && Set(keys).count == Self.count)
      orders.append(keys)
    }
    #expect(Set(orders).count == 3)
    #expect(items.map(\.epoch) == items.map(\.epoch).sorted())
  }

  @Test func oneSeedOneOrder() throws {
    let first = try keys {
      $0.epochs = 2; $0.shuffleBuffer = 20
    }
    for workers in [1, 2, 4] {
      for prefetch in [1, 3, 50] {
        #expect(
          first
            == (try keys {
              ($0.epochs, $0.shuffleBuffer, $0.workers, $0.prefetch, $0.batchSize) = (2, 20, workers, prefetch, 7)
            }))
      }
    }
    #expect(
      first
        != (try keys {
          $0.epochs = 2; $0.shuffleBuffer = 20; $0.seed = 2
        }))
    #expect(
      first
        != (try keys {
          $0.epochs = 2; $0.shuffleBuffer = 21
        }))
  }

  @Test func orderedIsTheSourcesOrder() throws {
    let keys = try keys { $0.flags = .ordered }
    #expect(keys[..<50] == (0..<50).map(String.init)[...])
    #expect(keys[50..<75] == (50..<75).map { "\($0).png" }[...])
    #expect(keys[75...].elementsEqual(keys[75...].sorted()))
  }

  /// A buffer that holds everything mixes everything: each place is as likely for each sample.
  @Test func shuffleIsUniform() throws {
    try data.shard("small.tar", 0..<8)
    var seen = [[Int]](repeating: [Int](repeating: 0, count: 8), count: 8)
    let dataset = try Dataset(
      [data.path("small.tar")],
      DatasetOptions {
        $0.epochs = 800; $0.batchSize = 8
      })
    for _ in 0..<800 {
      for (place, item) in try dataset.samples().enumerated() { seen[place][try #require(Int(item.key))] += 1 }
    }
    // 100 expected with a deviation of 9.4.
    for row in seen { for count in row { #expect((50...150).contains(count)) } }
  }

  @Test(arguments: [2, 3, 5, 16, 101]) func partsArePartsOfAll(_ parts: Int) throws {
    var all: [String] = []
    for part in 0..<parts {
      let dataset = try Dataset(
        sources, DatasetOptions { ($0.shard, $0.shuffleBuffer) = (.init(index: part, count: parts), 10) })
      do { all += try dataset.rest().map(\.key) } catch let failure as CLIPError {
        // More parts than pairs: some have none.
        #expect(parts == 101 && failure.message.contains("no good sample"))
      }
    }
    #expect(all.count == Self.count && Set(all).count == Self.count)
  }

  @Test func resumedIsUninterrupted() throws {
    func options(_ workers: Int) -> DatasetOptions {
      DatasetOptions {
        ($0.epochs, $0.shuffleBuffer, $0.workers, $0.captionFields) = (2, 13, workers, ["txt", "caption"])
      }
    }
    let dataset = try Dataset(sources, options(2))
    var states = [try dataset.state()]
    var items: [[Sample]] = []
    while true {
      let batch = try dataset.samples()
      states.append(try dataset.state())
      if batch.isEmpty { break }
      items.append(batch)
    }
    for (at, state) in states.enumerated() where at % 5 == 0 || at > 45 {
      let other = try Dataset(sources, options(1 + at % 3))
      if at % 2 == 0 { _ = try other.samples() }
      try other.restore(state)
      #expect(try other.state() == state)
      #expect(try other.rest() == Array(items.dropFirst(at).joined()))
      #expect(try other.counters().samples == 2 * Self.count)
    }
    // Back in the same one, after its end.
    try dataset.restore(states[3])
    #expect(try dataset.samples() == items[3])
  }

  @Test func statesOfOthersAreRefused() throws {
    let state = try Dataset(sources).state()
    for change: (inout DatasetOptions) -> Void in [
      { $0.seed = 9 }, { $0.shuffleBuffer = 9 }, { $0.flags = .ordered }, { $0.shard = .init(index: 0, count: 2) },
    ] {
      let failure = #expect(throws: CLIPError.self) { try Dataset(sources, DatasetOptions(change)).restore(state) }
      #expect(failure?.status == .mismatch)
    }
    let failure = #expect(throws: CLIPError.self) { try Dataset([sources[0]]).restore(state) }
    #expect(failure?.status == .mismatch && failure?.message.contains("sources") == true)
    for index in stride(from: 0, to: state.count, by: 7) {
      var broken = state
      broken[index] ^= 0x40
      let failure = #expect(throws: CLIPError.self) { try Dataset(sources).restore(broken) }
      #expect(failure?.status == .format)
    }
  }

  @Test func batchesEndWithTheirEpoch() throws {
    let dataset = try Dataset(
      sources,
      DatasetOptions {
        $0.batchSize = 30; $0.epochs = 2
      })
    #expect(try (0..<9).map { _ in try dataset.samples().count } == [30, 30, 30, 10, 30, 30, 30, 10, 0])
    let full = try Dataset(
      sources,
      DatasetOptions {
        $0.batchSize = 30; $0.epochs = 2; $0.flags = .fullBatches
      })
    #expect(try (0..<7).map { _ in try full.samples().count } == [30, 30, 30, 30, 30, 30, 0])
    #expect(try full.counters().samples == 180)
    let failure = #expect(throws: CLIPError.self) {
      try Dataset(
        sources,
        DatasetOptions {
          $0.batchSize = 101; $0.flags = .fullBatches
        }
      ).samples()
    }
    #expect(failure?.message.contains("100 samples") == true)
    // Without an end: more than any number of epochs that the test waits for.
    let endless = try Dataset(
      sources,
      DatasetOptions {
        $0.batchSize = 100; $0.epochs = 0
      })
    for epoch in 0..<5 { #expect(try endless.samples().allSatisfy { $0.epoch == epoch }) }
  }
}
