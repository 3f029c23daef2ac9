import CClip

/// Counts of the samples that were given and left out.
struct DatasetCounts {
  var given: UInt64 = 0
  /// Indexed by Defect.
  var left: [UInt64] = [UInt64](repeating: 0, count: Defect.allCases.count)
  var damagedShards: UInt64 = 0
  /// Samples given in this epoch.
  var epochGiven: UInt64 = 0
  var epochLeft: UInt64 = 0

  /// An epoch's share of bad pairs is checked from this number of pairs on.
  private static var fewest: UInt64 { 100 }

  mutating func leave(_ defect: Defect) {
    left[defect.rawValue] += 1
    epochLeft += 1
  }

  /// Throws if more than `share` of this epoch's pairs are bad. `last` is the reason of the last one, if known.
  func check(_ share: Double, _ last: ClipError?) throws(ClipError) {
    let seen = epochGiven + epochLeft
    guard seen >= DatasetCounts.fewest, Double(epochLeft) > share * Double(seen) else { return }
    throw ClipError(
      CLIP_FORMAT,
      "\(epochLeft) of \(seen) samples are bad, more than the share of \(hundredths(share)) that is allowed (max_bad_share): "
        + described + (last.map { "; the last: " + $0.message } ?? ""))
  }

  var described: String {
    "\(left[Defect.noImage.rawValue]) without an image, \(left[Defect.noCaption.rawValue]) without a caption, "
      + "\(left[Defect.badImage.rawValue]) with a bad image, \(left[Defect.badText.rawValue]) with a bad text, "
      + "\(left[Defect.tooLarge.rawValue]) too large; \(damagedShards) damaged shards"
  }

  private func hundredths(_ share: Double) -> String {
    let value = Int((share * 100).rounded())
    return "\(value / 100).\(value % 100 < 10 ? "0" : "")\(value % 100)"
  }
}
