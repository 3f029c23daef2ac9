import CClip
import CSystem

/// One file or folder of pairs.
struct Shard {
  enum Kind {
    case archive
    /// A table and the indices of its columns.
    case table(TableDialect, TableColumns)
    case folder
  }

  let path: String
  let kind: Kind
  /// Bytes of the file; 0 for a folder.
  let size: Int

  /// Reads the shard's pairs from `place` on. `shard` is its index in the list.
  func reader(shard: Int, imageEndings: [Name], from place: ShardPosition) throws(ClipError) -> any ShardReader {
    switch kind {
    case .archive: try ArchiveReader(path, shard: shard, imageEndings: imageEndings, from: place)
    case .table(let dialect, _): try TableReader(path, dialect, shard: shard, from: place)
    case .folder: try FolderReader(path, shard: shard, imageEndings: imageEndings, from: place)
    }
  }
}

/// The columns of the image's path and of the captions in a delimited table. Not used for JSONL, whose fields have
/// names.
struct TableColumns {
  /// The number of columns in the first line.
  var count = 0
  var image = 0
  var captions: [Int] = []
}

/// The shards of a data set.
struct ShardList {
  let shards: [Shard]
  /// A hash of the names, sizes and order of the sources.
  let fingerprint: UInt64

  init(sources: [String], _ fields: FieldNames) throws(ClipError) {
    var shards: [Shard] = []
    var hash = Fingerprint()
    for source in sources {
      // A file with exactly this name is not a pattern.
      let paths = try FileKind(source) == .absent ? try BracePattern.expand(Name(source).utf8) : [Name(source).utf8]
      for path in paths {
        let shard = try ShardList.shard(Name(utf8: path).string, fields)
        hash.add(fileName(of: shard.path).utf8)
        hash.add(UInt64(shard.size))
        shards.append(shard)
      }
    }
    self.shards = shards
    fingerprint = hash.value
  }

  private static func shard(_ path: String, _ fields: FieldNames) throws(ClipError) -> Shard {
    var facts = stat()
    guard withPath(path, { stat($0, &facts) }) == 0 else { throw systemError("cannot open " + path) }
    if csystem_is_folder(&facts) != 0 { return Shard(path: path, kind: .folder, size: 0) }
    guard csystem_is_file(&facts) != 0 else {
      throw ClipError(CLIP_IO, path + ": expected a file or a folder, found something else")
    }
    let name = lowerCase(fileName(of: path))
    let size = Int(facts.st_size)
    if name.hasSuffix(".tar") { return Shard(path: path, kind: .archive, size: size) }
    if name.hasSuffix(".jsonl") || name.hasSuffix(".ndjson") {
      return Shard(path: path, kind: .table(.jsonLines, TableColumns()), size: size)
    }
    guard name.hasSuffix(".csv") || name.hasSuffix(".tsv") else {
      throw ClipError(
        CLIP_UNSUPPORTED,
        path + ": expected .tar, .csv, .tsv, .jsonl, .ndjson or a folder; an archive must not be compressed as a whole")
    }
    let comma = UInt8(ascii: ",")
    let tab = UInt8(ascii: "\t")
    var delimiter = name.hasSuffix(".tsv") ? tab : comma
    var header = try TableReader.header(path, delimiter)
    // A file named .csv whose only column name has tabs is a table with tabs.
    if delimiter == comma, header.count == 1, header[0].utf8.contains(tab) {
      delimiter = tab
      header = try TableReader.header(path, delimiter)
    }
    return Shard(path: path, kind: .table(.delimited(delimiter), try fields.columns(of: header, path)), size: size)
  }

  private static func lowerCase(_ name: Name) -> Name {
    Name(utf8: name.utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 + 32 : $0 })
  }
}

/// The names of the fields that hold images and captions.
struct FieldNames {
  /// nil for `imageColumns`.
  let image: Name?
  /// Empty for `captionColumns`.
  let captions: [Name]

  /// Usual names of the column with an image's path, likeliest first.
  static let imageColumns: [Name] = ["file_name", "filepath", "image", "path"]
  /// Usual names of columns and JSON fields with a caption, likeliest first.
  static let captionColumns: [Name] = ["caption", "text", "title"]

  func columns(of header: [Name], _ path: String) throws(ClipError) -> TableColumns {
    func place(_ names: [Name], _ what: String) throws(ClipError) -> Int {
      for name in names { if let index = header.firstIndex(of: name) { return index } }
      throw ClipError(
        CLIP_FORMAT,
        "\(path): expected a column \(describe(names: names)) for the \(what), found \(describe(names: header))")
    }
    var columns = TableColumns(
      count: header.count, image: try place(image.map { [$0] } ?? FieldNames.imageColumns, "image's path"))
    // As in JSON, a missing field gives no caption, but at least one field must exist.
    columns.captions = captions.compactMap { header.firstIndex(of: $0) }
    if columns.captions.isEmpty {
      columns.captions = [try place(captions.isEmpty ? FieldNames.captionColumns : captions, "caption")]
    }
    return columns
  }
}

/// FNV-1a, 64 bits (Fowler, Noll and Vo).
struct Fingerprint {
  private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  private mutating func mix(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }

  /// Adds a string and its end.
  mutating func add(_ bytes: [UInt8]) {
    for byte in bytes { mix(byte) }
    mix(0)
  }

  mutating func add(_ number: UInt64) {
    for shift in stride(from: 0, to: 64, by: 8) { mix(UInt8(truncatingIfNeeded: number >> UInt64(shift))) }
  }
}
