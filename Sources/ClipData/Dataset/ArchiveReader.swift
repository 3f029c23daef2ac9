import CClip

/// Reads the pairs of a WebDataset shard. Consecutive members with the same key are a pair; the key is the name up to
/// the first dot after the last slash (https://github.com/webdataset/webdataset).
final class ArchiveReader: ShardReader {
  private let tar: TarReader
  private let shard: Int
  private let imageEndings: [Name]
  private var ordinal: Int
  /// The first member of the next pair, which ended the one before.
  private var pending: TarMember?
  private var failure: ClipError?
  private var isFinished = false

  convenience init(_ path: String, shard: Int, imageEndings: [Name], from place: ShardPosition) throws(ClipError) {
    self.init(TarReader(try FileReader(path), from: place.offset), shard, imageEndings, place.ordinal)
  }

  private init(_ tar: TarReader, _ shard: Int, _ imageEndings: [Name], _ ordinal: Int) {
    self.tar = tar
    self.shard = shard
    self.imageEndings = imageEndings
    self.ordinal = ordinal
  }

  var position: Int { pending?.start ?? tar.offset }

  func next() throws(ClipError) -> SampleReference? {
    var key: ArraySlice<UInt8>?
    var parts = SampleParts<Extent>()
    while let member = try advance() {
      guard let dot = ArchiveReader.dot(member.name) else { continue }
      let memberKey = member.name[..<dot]
      if let key, key != memberKey {
        pending = member
        break
      }
      key = memberKey
      // The first member of each kind counts.
      if let kind = MemberKind(Array(member.name[(dot + 1)...]), imageEndings: imageEndings), parts[kind] == nil {
        parts[kind] = member.data
      }
    }
    guard let key else {
      if let failure {
        self.failure = nil
        throw failure
      }
      return nil
    }
    defer { ordinal += 1 }
    return SampleReference(shard: shard, ordinal: ordinal, key: Name(utf8: Array(key)), content: .members(parts))
  }

  /// Reads the next member. An error is kept until the pair before it has been given.
  private func advance() throws(ClipError) -> TarMember? {
    if let member = pending {
      pending = nil
      return member
    }
    guard !isFinished else { return nil }
    do throws(ClipError) {
      if let member = try tar.next() { return member }
    } catch {
      failure = error
    }
    isFinished = true
    return nil
  }

  /// The index of the dot that ends a member's key; nil if the name has no dot or is hidden, so that the member belongs
  /// to no pair.
  private static func dot(_ name: [UInt8]) -> Int? {
    let base = (name.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1
    guard let dot = name[base...].firstIndex(of: UInt8(ascii: ".")), dot > base else { return nil }
    return dot
  }
}
