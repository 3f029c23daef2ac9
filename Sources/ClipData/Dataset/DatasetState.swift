import CClip

/// A data set's position as bytes: 64-bit little-endian integers, readable on any machine.
struct DatasetState {
  /// The values that determine the sequence.
  let run: [UInt64]
  var position: SamplePosition
  var counts: DatasetCounts

  static var byteCount: Int { Int(CLIP_DATASET_STATE_BYTES) }
  /// "CLIPDAT1".
  private static var signature: UInt64 { 0x3154_4144_5049_4c43 }
  private static let runNames: [StaticString] = [
    "seed", "shuffle_buffer", "CLIP_DATASET_ORDERED", "shard_index", "shard_count",
    "sources (their names, sizes or order)",
  ]

  static func run(_ options: DatasetOptions, _ list: ShardList) -> [UInt64] {
    [
      options.seed, UInt64(options.shuffleBuffer), options.isOrdered ? 1 : 0, UInt64(options.part),
      UInt64(options.parts),
      list.fingerprint,
    ]
  }

  func write(to bytes: UnsafeMutablePointer<UInt8>) {
    let place = [
      position.epoch, position.start.shard, position.start.place.offset, position.start.place.ordinal, position.block,
      position.index,
    ].map { UInt64($0) }
    let counted = [counts.given] + counts.left + [counts.damagedShards, counts.epochGiven, counts.epochLeft]
    var numbers = [DatasetState.signature] + run + place + [position.sequence] + counted
    numbers += [UInt64](repeating: 0, count: DatasetState.byteCount / 8 - 1 - numbers.count)
    numbers.append(DatasetState.check(numbers))
    for index in 0..<DatasetState.byteCount {
      bytes[index] = UInt8(truncatingIfNeeded: numbers[index / 8] >> UInt64(index % 8 * 8))
    }
  }

  /// Reads the bytes of `write`. CLIP_MISMATCH for the state of another run.
  init(_ bytes: UnsafePointer<UInt8>, run: [UInt64]) throws(ClipError) {
    var numbers = [UInt64](repeating: 0, count: DatasetState.byteCount / 8)
    for index in 0..<DatasetState.byteCount { numbers[index / 8] |= UInt64(bytes[index]) << UInt64(index % 8 * 8) }
    guard numbers[0] == DatasetState.signature, numbers.popLast() == DatasetState.check(numbers) else {
      throw ClipError(CLIP_FORMAT, "state: expected what clip_dataset_save wrote, found something else")
    }
    var at = 1
    for (index, wanted) in run.enumerated() {
      guard numbers[at] == wanted else {
        throw ClipError(
          CLIP_MISMATCH, "state: expected one of the same run, found one with another \(DatasetState.runNames[index])")
      }
      at += 1
    }
    var place: [Int] = []
    for _ in 0..<6 {
      guard let number = Int(exactly: numbers[at]), number < 1 << 60 else {
        throw ClipError(CLIP_FORMAT, "state: expected a position, found \(numbers[at])")
      }
      place.append(number)
      at += 1
    }
    self.run = run
    position = SamplePosition(
      epoch: place[0], start: .init(shard: place[1], place: ShardPosition(offset: place[2], ordinal: place[3])),
      block: place[4],
      index: place[5], sequence: numbers[at])
    counts = DatasetCounts()
    counts.given = numbers[at + 1]
    at += 2
    for index in counts.left.indices { counts.left[index] = numbers[at + index] }
    at += counts.left.count
    (counts.damagedShards, counts.epochGiven, counts.epochLeft) = (numbers[at], numbers[at + 1], numbers[at + 2])
  }

  init(run: [UInt64], position: SamplePosition, counts: DatasetCounts) {
    self.run = run
    self.position = position
    self.counts = counts
  }

  private static func check(_ numbers: [UInt64]) -> UInt64 {
    var hash = Fingerprint()
    for number in numbers { hash.add(number) }
    return hash.value
  }
}
