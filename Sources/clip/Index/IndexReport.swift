/// The report of an update, as text and as JSON.
extension IndexUpdate.Report {
  /// Whether the index has changed.
  var isChange: Bool { added + changed + moved + removed > 0 }

  var isWorthTelling: Bool { isChange || skipped > 0 }

  var kept: Int { away.reduce(0) { $0 + $1.kept } }

  /// Prints images that one would expect in the index, and that are not, to standard error.
  func tellWarnings() {
    for (place, kept) in away {
      Console.shared.line(
        (kept > 0 ? "Kept what is indexed of " : "Cannot read ") + "\(place.path.shown): \(place.reason)")
    }
    if isInterrupted { Console.shared.line("Interrupted: what is done is kept, and clip index goes on from there.") }
  }

  /// "3 images: 2 added, 1 removed; left out: 3 .mp4, 1 .txt."
  func line(images: Int) -> String {
    let changes = [
      (added, "added"), (changed, "changed"), (moved, "moved"), (removed, "removed"), (skipped, "skipped"),
      (unusable.count + unread.count - skipped, "skipped before"), (kept, "kept"),
    ].compactMap { $0.0 > 0 ? "\($0.0) \($0.1)" : nil }
    let left = [
      others.isEmpty ? nil : "left out: \(FoundImages(leftOut: others).leftOutDescribed)",
      links == 0 ? nil : "\(counted(links, "symbolic link")) not followed",
      excluded == 0 ? nil : "\(excluded) excluded",
    ].compactMap { $0 }
    return ["\(counted(images, "image")): " + (changes.isEmpty ? "up to date" : changes.joined(separator: ", "))]
      .joined() + (left.isEmpty ? "" : "; " + left.joined(separator: "; ")) + "."
  }

  func json(_ index: ByteString, images: Int) -> JSON {
    [
      "index": .path(index), "images": .integer(images), "added": .integer(added),
      "changed": .integer(changed), "moved": .integer(moved), "removed": .integer(removed),
      "unchanged": .integer(unchanged), "kept": .integer(kept),
      "away": .array(
        away.map { ["folder": .path($0.path), "kept": .integer($1), "error": .string($0.reason)] }),
      "skipped": .array(
        unusable.map { ["image": .path($0.path), "error": .string($0.reason)] } + unread.map(\.json)),
      "left_out": FoundImages(leftOut: others).leftOutJSON,
      "links": .integer(links), "excluded": .integer(excluded), "interrupted": .bool(isInterrupted),
    ]
  }
}
