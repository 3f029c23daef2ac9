/// What an index keeps of a file beside its embedding: 24 bytes of metadata, three little-endian 64-bit integers.
struct FileRecord {
  var state: FileState
  let content: ContentHash

  init(state: FileState, content: ContentHash) { (self.state, self.content) = (state, content) }

  /// nil for the metadata of another program.
  init?(_ metadata: [UInt8]) {
    guard metadata.count == 24 else { return nil }
    let word = { (place: Int) in metadata[place..<place + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
    state = FileState(size: Int64(bitPattern: word(0)), modified: Int64(bitPattern: word(8)))
    content = ContentHash(word(16))
  }

  var metadata: [UInt8] {
    [UInt64(bitPattern: state.size), UInt64(bitPattern: state.modified), content.value].flatMap { word in
      (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) }
    }
  }
}

/// An image to put into an index.
struct IndexedImage {
  let path: ByteString
  let record: FileRecord
  /// nil: unchanged.
  var embedding: [Float]?
}

/// What an index knows of its files, in the order of their paths.
struct KnownFiles {
  private(set) var files: [(path: ByteString, record: FileRecord)] = []

  init() {}

  /// Entries of other programs are left out.
  init(_ index: EmbeddingIndex) throws(CLIPError) {
    var files = files
    files.reserveCapacity(try index.count())
    try index.forEach { entry in
      if let record = FileRecord(entry.metadata) { files.append((entry.path, record)) }
      return true
    }
    self.files = files
  }

  subscript(path: ByteString) -> FileRecord? {
    var (low, high) = (0, files.count)
    while low < high {
      let middle = (low + high) / 2
      if files[middle].path < path { low = middle + 1 } else { high = middle }
    }
    return low < files.count && files[low].path == path ? files[low].record : nil
  }
}

extension IndexEntry {
  var path: ByteString { ByteString(key) }
}

/// An index of images, whose keys are paths.
extension EmbeddingIndex {
  /// The keys of the images in a folder, or of the file `path` itself.
  func paths(below path: ByteString) throws(CLIPError) -> [ByteString] {
    var paths: [ByteString] = []
    try forEach(prefix: path.bytes) { entry in
      if entry.path.isBelow(path) { paths.append(entry.path) }
      return true
    }
    return paths
  }

  /// nil if there is no entry.
  func embedding(of path: ByteString) throws(CLIPError) -> (embedding: [Float], record: FileRecord)? {
    guard let (entry, embedding) = try self[path.bytes], let record = FileRecord(entry.metadata) else { return nil }
    return (embedding, record)
  }

  /// Puts all images in one transaction. Either all have an embedding, or none has.
  func put(_ images: [IndexedImage]) throws(CLIPError) {
    let embeddings = images.flatMap { $0.embedding ?? [] }
    try put(
      images.map(\.path.bytes), embeddings: embeddings.isEmpty ? nil : embeddings,
      metadata: images.map(\.record.metadata))
  }
}
