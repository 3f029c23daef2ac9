import CClip
import CSystem

/// The images of a folder and its subfolders, in byte order of their names. A caption is in a file of the same name up
/// to the last dot. Hidden files and linked folders are left out.
final class FolderReader: ShardReader {
  private struct Level {
    /// The path of the current folder below the shard's; empty for the shard's own.
    let path: Name
    let entries: [Entry]
    /// The names of the files with captions and classes.
    let texts: Set<Name>
    var next = 0
  }

  private struct Entry: Comparable {
    let name: Name
    let isFolder: Bool

    static func < (a: Entry, b: Entry) -> Bool { a.name < b.name }
  }

  private let folder: String
  private let shard: Int
  private let imageEndings: [Name]
  private var levels: [Level] = []
  private var ordinal = 0

  private static var deepest: Int { 64 }

  convenience init(_ folder: String, shard: Int, imageEndings: [Name], from place: ShardPosition) throws(ClipError) {
    self.init(folder, shard, imageEndings)
    try enter("")
    while ordinal < place.ordinal, try next() != nil {}
  }

  private init(_ folder: String, _ shard: Int, _ imageEndings: [Name]) {
    self.folder = folder
    self.shard = shard
    self.imageEndings = imageEndings
  }

  /// The number of images so far. To continue, the folders are listed again.
  var position: Int { ordinal }

  func next() throws(ClipError) -> SampleReference? {
    while let last = levels.indices.last {
      guard levels[last].next < levels[last].entries.count else {
        levels.removeLast()
        continue
      }
      let entry = levels[last].entries[levels[last].next]
      levels[last].next += 1
      let level = levels[last]
      if entry.isFolder {
        try enter(FolderReader.path(level.path, entry.name))
        continue
      }
      let stem = FolderReader.split(entry.name).stem
      func beside(_ ending: Name) -> Name? {
        level.texts.contains(stem + ending) ? FolderReader.path(level.path, stem + ending) : nil
      }
      defer { ordinal += 1 }
      return SampleReference(
        shard: shard, ordinal: ordinal, key: FolderReader.path(level.path, stem),
        content: .files(
          SampleParts(
            image: FolderReader.path(level.path, entry.name), text: beside(".txt"), json: beside(".json"),
            label: beside(".cls"))))
    }
    return nil
  }

  private func enter(_ path: Name) throws(ClipError) {
    let name = path.isEmpty ? Name(folder) : join(Name(folder), path)
    let place = name.string
    guard levels.count < FolderReader.deepest else {
      throw ClipError(CLIP_LIMIT, "\(place): expected folders at most \(FolderReader.deepest) deep")
    }
    guard let listing = withPath(place, { csystem_open_folder($0) }) else {
      throw systemError("cannot open the folder " + place)
    }
    defer { closedir(listing) }
    var entries: [Entry] = []
    var texts: Set<Name> = []
    while let entry = csystem_next_entry(listing) {
      let name = Name(cString: csystem_entry_name(entry))
      guard name.utf8.first != UInt8(ascii: ".") else { continue }
      let isFolder = csystem_entry_is_folder(listing, entry)
      guard isFolder >= 0 else { throw systemError("cannot look at " + join(place, name)) }
      if isFolder > 0 {
        entries.append(Entry(name: name, isFolder: true))
        continue
      }
      switch MemberKind(FolderReader.split(name).ending, imageEndings: imageEndings) {
      case .image: entries.append(Entry(name: name, isFolder: false))
      case .text, .json, .label: texts.insert(name)
      case nil: break
      }
    }
    guard csystem_errno() == 0 else { throw systemError("cannot list the folder " + place) }
    levels.append(Level(path: path, entries: entries.sorted(), texts: texts))
  }

  private static func split(_ name: Name) -> (stem: Name, ending: [UInt8]) {
    guard let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")) else { return (name, []) }
    return (Name(utf8: Array(name.utf8[..<dot])), Array(name.utf8[(dot + 1)...]))
  }

  private static func path(_ folder: Name, _ name: Name) -> Name { folder.isEmpty ? name : folder + "/" + name }
}
