import CClip

/// The place of one file of a pair.
enum FileSource {
  /// A range of bytes of an archive.
  case part(String, Extent)
  case file(Name)

  /// The whole file, at most `limit` bytes.
  func read(limit: Int) throws(ClipError) -> (memory: Memory, size: Int) {
    switch self {
    case .part(let path, let extent): return try FileSource.read(try FileReader(path), extent, limit)
    case .file(let path):
      let file = try FileReader(path.string)
      return try FileSource.read(file, Extent(offset: 0, size: file.size), limit)
    }
  }

  private static func read(_ file: FileReader, _ extent: Extent, _ limit: Int) throws(ClipError) -> (
    memory: Memory, size: Int
  ) {
    guard extent.size <= limit else {
      throw ClipError(CLIP_LIMIT, "expected at most \(limit) bytes, found \(extent.size)")
    }
    return (try file.read(extent, for: "a file of a data set"), extent.size)
  }
}

/// The key, the place of the image and the captions of a pair, read before its image.
struct SampleFiles {
  private(set) var key: Name
  /// nil if there is none.
  private(set) var image: FileSource?
  private(set) var captions = CaptionChoice()

  /// The most bytes of a caption's file or a table's record.
  private static var longestText: Int { 1 << 20 }

  /// Throws for captions and records that cannot be read.
  init(_ reference: SampleReference, _ shard: Shard, _ options: DatasetOptions) throws(ClipError) {
    key = reference.key
    let names = options.fields.captions
    switch reference.content {
    case .members(let parts): try read(names, parts.map { .part(shard.path, $0) })
    case .files(let parts): try read(names, parts.map { .file(join(Name(shard.path), $0)) })
    case .row(let extent):
      guard case .table(let dialect, let columns) = shard.kind else { return }
      let record = try SampleFiles.bytes(.part(shard.path, extent))
      let path: [UInt8]?
      switch dialect {
      case .delimited(let delimiter): path = try read(record, delimiter, columns)
      case .jsonLines: path = try read(record, options.fields)
      }
      guard let path, !path.isEmpty else { return }
      key = Name(utf8: path)
      try SampleFiles.check(path, options)
      let isAbsolute = path.first == UInt8(ascii: "/")
      let place = isAbsolute ? key : join(Name(parent(of: shard.path)), key)
      if !options.allowsPathsOutside { try SampleFiles.requireInside(place, Name(parent(of: shard.path))) }
      image = .file(place)
    }
  }

  /// Reads captions from a pair's files: the named fields; without names the text file, or else the usual fields of the
  /// JSON.
  private mutating func read(_ names: [Name], _ files: SampleParts<FileSource>) throws(ClipError) {
    image = files.image
    if names.isEmpty, let text = files.text {
      captions.add(try SampleFiles.bytes(text))
      return
    }
    var object: JSON?
    for name in names.isEmpty ? FieldNames.captionColumns : names {
      if let text = name == "txt" ? files.text : name == "cls" ? files.label : nil {
        captions.add(try SampleFiles.bytes(text))
        continue
      }
      if object == nil {
        guard let json = files.json else { continue }
        object = try SampleJSON.object(try SampleFiles.bytes(json))
      }
      try captions.add(object?[name], name)
      if names.isEmpty, !captions.isEmpty { return }
    }
  }

  /// Reads path and captions of a delimited record.
  private mutating func read(_ record: [UInt8], _ delimiter: UInt8, _ columns: TableColumns) throws(ClipError)
    -> [UInt8]?
  {
    let fields = try record.withUnsafeBufferPointer { bytes throws(ClipError) in
      try TableReader.fields(bytes, delimiter)
    }
    for column in columns.captions + [columns.image] where column >= fields.count {
      throw ClipError(CLIP_FORMAT, "expected at least \(column + 1) fields, found \(fields.count)")
    }
    guard fields.dropFirst(columns.count).allSatisfy({ $0.isEmpty }) else {
      throw ClipError(
        CLIP_FORMAT,
        "expected \(columns.count) fields, as the first line has, found \(fields.count): one that has the separator in it "
          + "is written in quotes")
    }
    for column in columns.captions { captions.add(fields[column]) }
    return fields[columns.image]
  }

  /// Reads path and captions of a JSON record.
  private mutating func read(_ record: [UInt8], _ names: FieldNames) throws(ClipError) -> [UInt8]? {
    let object = try SampleJSON.object(record)
    for name in names.captions.isEmpty ? FieldNames.captionColumns : names.captions {
      try captions.add(object[name], name)
      if names.captions.isEmpty, !captions.isEmpty { break }
    }
    for name in names.image.map({ [$0] }) ?? FieldNames.imageColumns {
      guard let value = object[name] else { continue }
      guard let path = value.string else {
        throw ClipError(CLIP_FORMAT, "\(name.string): expected a path, found \(value.kind)")
      }
      return path.utf8
    }
    return nil
  }

  /// A table may name only files in its folder or below, unless the options trust it with all files.
  private static func check(_ path: [UInt8], _ options: DatasetOptions) throws(ClipError) {
    guard !path.contains(0), path.count <= 4096 else {
      throw ClipError(CLIP_FORMAT, "expected a path of at most 4096 bytes without NUL, found something else")
    }
    guard !options.allowsPathsOutside else { return }
    let parts = path.split(separator: UInt8(ascii: "/"))
    guard path.first != UInt8(ascii: "/"), !parts.contains(where: { $0.elementsEqual([46, 46]) }) else {
      throw outside
    }
  }

  /// A link must not lead outside the folder either. A missing file is reported later.
  private static func requireInside(_ path: Name, _ folder: Name) throws(ClipError) {
    guard let root = try realPath(folder.string).map({ Name($0) }), let real = try realPath(path.string) else { return }
    guard Name(real).hasPrefix(root.hasSuffix("/") ? root : root + "/") else { throw outside }
  }

  private static var outside: ClipError {
    ClipError(CLIP_FORMAT, "its path leads out of the table's folder, which only CLIP_DATASET_PATHS_OUTSIDE allows")
  }

  private static func bytes(_ source: FileSource) throws(ClipError) -> [UInt8] {
    let (memory, size) = try source.read(limit: longestText)
    defer { withExtendedLifetime(memory) {} }
    return Array(UnsafeBufferPointer(start: memory.bytes, count: size))
  }
}
