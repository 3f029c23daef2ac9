import CClip
@_spi(Handles) import CLIP

/// What an index keeps of a file beside its embedding: 24 bytes of metadata, three little-endian numbers of 8 bytes.
struct FileRecord {
  var state: FileState
  let content: ContentHash

  init(state: FileState, content: ContentHash) { (self.state, self.content) = (state, content) }

  /// nil for metadata of another program.
  init?(_ metadata: UnsafeRawBufferPointer) {
    guard metadata.count == 24 else { return nil }
    let word = { metadata.loadUnaligned(fromByteOffset: $0, as: UInt64.self).littleEndian }
    state = FileState(size: Int64(bitPattern: word(0)), modified: Int64(bitPattern: word(8)))
    content = ContentHash(word(16))
  }

  var metadata: [UInt8] {
    [UInt64(bitPattern: state.size), UInt64(bitPattern: state.modified), content.value].flatMap { word in
      (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) }
    }
  }
}

/// An index of images by their paths, a file.
final class ImageIndex {
  let path: ByteString
  /// Elements of an embedding.
  let width: Int
  private let runtime: Runtime
  private let handle: OpaquePointer

  struct Entry {
    let path: ByteString
    let record: FileRecord
    /// nil: as it is.
    var embedding: [Float]?
  }

  /// What is known of a file, and whether it was found again.
  struct Known {
    let record: FileRecord
    var isThere = false
  }

  struct Match {
    let path: ByteString
    let score: Float
  }

  /// Opens the index, or with `width` makes one for embeddings of so many elements with this fingerprint.
  init(
    _ path: ByteString, _ runtime: Runtime, fingerprint: String? = nil, width: Int? = nil, readOnly: Bool = false
  ) throws(CLIPError) {
    var out: OpaquePointer?
    let status = withText(fingerprint) { fingerprint in
      var options = sized(clip_index_options(), \.struct_size)
      options.flags = UInt32((width == nil ? 0 : CLIP_INDEX_CREATE) | (readOnly ? CLIP_INDEX_READ_ONLY : 0))
      options.fingerprint = fingerprint
      options.embedding_width = UInt32(clamping: width ?? 0)
      options.storage = CLIP_STORAGE_F16
      return path.withCString { clip_index_open(runtime.handle, $0, &options, &out) }
    }
    try check(status)
    guard let out else { throw CLIPError(.plugin, "clip_index_open returned no index") }
    handle = out
    var info = sized(clip_index_info(), \.struct_size)
    let described = clip_index_describe(out, &info)
    (self.path, self.runtime, self.width) = (path, runtime, Int(info.embedding_width))
    try check(described)
  }

  deinit { clip_index_release(handle) }

  /// Of the files of a model folder.
  static func fingerprint(_ folder: ByteString) throws(CLIPError) -> String {
    var buffer = [CChar](repeating: 0, count: 64)
    try check(folder.withCString { clip_index_fingerprint($0, &buffer, 64) })
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  var fingerprint: String { string { clip_index_get_fingerprint(handle, $0, $1) } }

  func count() throws(CLIPError) -> Int {
    var info = sized(clip_index_info(), \.struct_size)
    try check(clip_index_describe(handle, &info))
    return Int(clamping: info.entries)
  }

  /// What is known of each file. Entries of other programs are left out.
  func records() throws(CLIPError) -> [ByteString: Known] {
    let records = Box<[ByteString: Known]>([:])
    records.value.reserveCapacity(try count())
    let status = clip_index_visit(
      handle, nil, 0,
      { user, entry in
        guard let entry = entry?.pointee, let record = FileRecord(entry.metadata.buffer) else { return 0 }
        Box<[ByteString: Known]>.at(user)?.value[ByteString(entry.key.buffer)] = Known(record: record)
        return 0
      }, records.pointer)
    try check(status)
    return records.value
  }

  /// Of a folder, or the file `path` itself.
  func paths(below path: ByteString) throws(CLIPError) -> [ByteString] {
    let paths = Box<[ByteString]>([])
    let status = clip_index_visit(
      handle, path.bytes, path.bytes.count,
      { user, entry in
        if let entry = entry?.pointee { Box<[ByteString]>.at(user)?.value.append(ByteString(entry.key.buffer)) }
        return 0
      }, paths.pointer)
    try check(status)
    return paths.value.filter { $0.isBelow(path) }
  }

  /// nil if there is none.
  func embedding(of path: ByteString) throws(CLIPError) -> (embedding: [Float], record: FileRecord)? {
    var embedding = [Float](repeating: 0, count: width)
    let record = Box<FileRecord?>(nil)
    let capacity = width
    let status = clip_index_get(
      handle, path.bytes, path.bytes.count, &embedding, capacity,
      { user, entry in
        if let entry = entry?.pointee { Box<FileRecord?>.at(user)?.value = FileRecord(entry.metadata.buffer) }
        return 0
      }, record.pointer)
    guard status != CLIP_NOT_FOUND else { return nil }
    try check(status)
    return record.value.map { (embedding, $0) }
  }

  /// All in one transaction. Entries with an embedding, or entries without.
  func put(_ entries: [Entry]) throws(CLIPError) {
    let embeddings = entries.flatMap { $0.embedding ?? [] }
    let metadata = entries.map(\.record.metadata)
    try check(
      withBytes(entries.map(\.path.bytes)) { keys in
        withBytes(metadata) { metadata in
          clip_index_put(handle, keys, embeddings.isEmpty ? nil : embeddings, metadata, entries.count)
        }
      })
  }

  func rename(_ paths: [(from: ByteString, to: ByteString)]) throws(CLIPError) {
    try check(
      withBytes(paths.map(\.from.bytes)) { from in
        withBytes(paths.map(\.to.bytes)) { to in clip_index_rename(handle, from, to, paths.count) }
      })
  }

  func remove(_ paths: [ByteString]) throws(CLIPError) {
    guard !paths.isEmpty else { return }
    try check(withBytes(paths.map(\.bytes)) { clip_index_remove(handle, $0, paths.count, nil) })
  }

  /// The images nearest to `query` of those in one of `folders`, or of all if there is none; best first.
  func search(
    _ query: [Float], count: Int, threshold: Float?, folders: [ByteString] = []
  ) throws(CLIPError) -> [Match] {
    let matches = Box<[Match]>([])
    let filter = Box<[ByteString]>(folders)
    var options = sized(clip_index_search_options(), \.struct_size)
    options.count = UInt32(clamping: count)
    if let threshold {
      options.flags = UInt32(CLIP_INDEX_THRESHOLD)
      options.threshold = threshold
    }
    if !folders.isEmpty {
      options.filter_user = filter.pointer
      options.filter = { user, entry in
        guard let key = entry?.pointee.key, let folders = Box<[ByteString]>.at(user)?.value else { return 0 }
        let path = ByteString(key.buffer)
        return folders.contains { path.isBelow($0) } ? 1 : 0
      }
    }
    let status = withExtendedLifetime(filter) {
      clip_index_search(
        handle, query, &options,
        { user, entry in
          if let entry = entry?.pointee {
            Box<[Match]>.at(user)?.value.append(Match(path: ByteString(entry.key.buffer), score: entry.score))
          }
          return 0
        }, matches.pointer)
    }
    try check(status)
    return matches.value
  }

  /// Pairs of images whose embeddings have at least the cosine `threshold`; best first.
  func duplicates(
    threshold: Float, count: Int, progress: ProgressBar
  ) throws(CLIPError) -> [(a: ByteString, b: ByteString, score: Float)] {
    let pairs = Box<[(a: ByteString, b: ByteString, score: Float)]>([])
    var options = sized(clip_index_duplicates_options(), \.struct_size)
    options.count = UInt32(clamping: count)
    options.threshold = threshold
    let status = clip_index_duplicates(
      handle, &options,
      { user, a, b in
        if let a = a?.pointee, let b = b?.pointee {
          let pair = (ByteString(a.key.buffer), ByteString(b.key.buffer), a.score)
          Box<[(a: ByteString, b: ByteString, score: Float)]>.at(user)?.value.append(pair)
        }
        return 0
      }, pairs.pointer)
    try check(status)
    return pairs.value
  }
}

extension clip_index_bytes {
  fileprivate var buffer: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: data, count: size) }
}

/// C's view of byte strings, valid in `body`.
private func withBytes<Result>(
  _ values: [[UInt8]], _ body: (UnsafePointer<clip_index_bytes>?) -> Result
) -> Result {
  let all = Array(values.joined())
  return all.withUnsafeBytes { bytes in
    var position = 0
    var views: [clip_index_bytes] = []
    views.reserveCapacity(values.count)
    for value in values {
      views.append(clip_index_bytes(data: bytes.baseAddress.map { $0 + position }, size: value.count))
      position += value.count
    }
    return body(views)
  }
}

private func withText<Result>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> Result) -> Result {
  guard let text else { return body(nil) }
  return text.withCString { body($0) }
}
