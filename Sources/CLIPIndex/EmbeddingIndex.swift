import CClip
@_spi(Handles) public import CLIP

/// An entry of an index.
public struct IndexEntry: Hashable, Sendable {
  /// Any bytes, such as a path.
  public let key: [UInt8]
  public let metadata: [UInt8]
  /// The cosine with the query or the other entry; 0 in other calls.
  public let score: Float

  fileprivate init(_ entry: clip_index_entry) {
    let array = { (bytes: clip_index_bytes) in Array(UnsafeRawBufferPointer(start: bytes.data, count: bytes.size)) }
    (key, metadata, score) = (array(entry.key), array(entry.metadata), entry.score)
  }
}

/// Embeddings by key, in one file (docs/index.md).
public final class EmbeddingIndex: @unchecked Sendable {
  private let handle: OpaquePointer
  private let runtime: Runtime
  /// Elements of an embedding.
  public let width: Int
  public let storage: Storage

  /// The properties of a new index.
  public struct Format: Sendable {
    /// Identifies the model: `EmbeddingIndex.fingerprint(of:)`.
    public var fingerprint: String
    public var width: Int
    /// `.float32`, `.float16` or `.int8`.
    public var storage: Storage

    public init(fingerprint: String, width: Int, storage: Storage = .float16) {
      (self.fingerprint, self.width, self.storage) = (fingerprint, width, storage)
    }
  }

  /// Opens or creates the index in a file.
  ///
  /// - Parameters:
  ///   - path: Bytes without NUL, which need not be UTF-8.
  ///   - format: The format of a new index, if there is no file or an empty one. An existing index must have this
  ///     fingerprint and width. nil: any existing index; if there is none, `notFound` is thrown.
  ///   - readOnly: Whether changes are refused.
  public init(
    path: some Collection<UInt8>, runtime: Runtime, format: Format? = nil, readOnly: Bool = false
  ) throws(CLIPError) {
    (handle, width, storage) = try withCMemory { memory throws(CLIPError) in
      var options = sized(clip_index_options(), \.struct_size)
      if readOnly { options.flags |= UInt32(CLIP_INDEX_READ_ONLY) }
      if let format {
        if !readOnly { options.flags |= UInt32(CLIP_INDEX_CREATE) }
        options.fingerprint = try memory.string(format.fingerprint, "fingerprint")
        options.embedding_width = try number(format.width, "width")
        options.storage = clip_storage(format.storage.rawValue)
      }
      var index: OpaquePointer?
      try check(clip_index_open(runtime.handle, try memory.bytes(path, "path"), &options, &index))
      guard let index else { throw CLIPError(.plugin, "clip_index_open returned no index") }
      var info = sized(clip_index_info(), \.struct_size)
      do throws(CLIPError) { try check(clip_index_describe(index, &info)) } catch {
        clip_index_release(index)
        throw error
      }
      return (index, Int(info.embedding_width), Storage(rawValue: UInt32(info.storage.rawValue)) ?? .float32)
    }
    self.runtime = runtime
  }

  public convenience init(
    _ path: String, runtime: Runtime, format: Format? = nil, readOnly: Bool = false
  ) throws(CLIPError) {
    try self.init(path: path.utf8, runtime: runtime, format: format, readOnly: readOnly)
  }

  deinit { clip_index_release(handle) }

  /// A hash of the files of a model folder that determine embeddings.
  public static func fingerprint(of folder: String) throws(CLIPError) -> String {
    try withCMemory { memory throws(CLIPError) in
      var text = [CChar](repeating: 0, count: 33)
      try check(clip_index_fingerprint(try memory.string(folder, "folder"), &text, text.count))
      return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }

  /// The fingerprint with which the index was created.
  public var fingerprint: String { string { clip_index_get_fingerprint(handle, $0, $1) } }

  /// The current number of entries.
  public func count() throws(CLIPError) -> Int {
    var info = sized(clip_index_info(), \.struct_size)
    try check(clip_index_describe(handle, &info))
    return Int(clamping: info.entries)
  }

  /// Adds or replaces entries, in one transaction.
  ///
  /// - Parameters:
  ///   - embeddings: [keys.count, width]; nil: the entries keep theirs.
  ///   - metadata: One for each key, or empty.
  public func put(_ keys: [[UInt8]], embeddings: [Float]?, metadata: [[UInt8]] = []) throws(CLIPError) {
    if let embeddings { try require(embeddings.count, keys.count * width, "embeddings") }
    if !metadata.isEmpty { try require(metadata.count, keys.count, "metadata") }
    guard !keys.isEmpty else { return }
    try withCMemory { memory throws(CLIPError) in
      let facts = metadata.isEmpty ? nil : bytes(metadata, memory)
      try check(clip_index_put(handle, bytes(keys, memory), embeddings.flatMap { memory.array($0) }, facts, keys.count))
    }
  }

  /// Changes the keys of entries.
  public func rename(_ keys: [(from: [UInt8], to: [UInt8])]) throws(CLIPError) {
    guard !keys.isEmpty else { return }
    try withCMemory { memory throws(CLIPError) in
      try check(clip_index_rename(handle, bytes(keys.map(\.from), memory), bytes(keys.map(\.to), memory), keys.count))
    }
  }

  /// Removes entries and returns how many existed.
  @discardableResult
  public func remove(_ keys: [[UInt8]]) throws(CLIPError) -> Int {
    guard !keys.isEmpty else { return 0 }
    return try withCMemory { memory throws(CLIPError) in
      var removed: UInt64 = 0
      try check(clip_index_remove(handle, bytes(keys, memory), keys.count, &removed))
      return Int(clamping: removed)
    }
  }

  /// The entry with a key; nil if there is none.
  public subscript(key: [UInt8]) -> (entry: IndexEntry, embedding: [Float])? {
    get throws(CLIPError) {
      let list = Box<[IndexEntry]>([])
      var status = CLIP_OK
      let embedding: [Float] = try filled(width) { buffer, capacity throws(CLIPError) in
        status = clip_index_get(handle, key, key.count, buffer, capacity, EmbeddingIndex.visitor, list.pointer)
        if status != CLIP_NOT_FOUND { try check(status) }
      }
      return list.value.first.map { ($0, embedding) }
    }
  }

  /// Calls `body` for the entries whose keys begin with `prefix`, in byte order of the keys, until it returns false.
  public func forEach(prefix: [UInt8] = [], _ body: (IndexEntry) -> Bool) throws(CLIPError) {
    let status = withoutActuallyEscaping(body) { body in
      let box = Box(body)
      return withExtendedLifetime(box) {
        clip_index_visit(
          handle, prefix, prefix.count,
          { user, entry in
            guard let entry = entry?.pointee, let body = Box<(IndexEntry) -> Bool>.at(user)?.value else { return 1 }
            return body(IndexEntry(entry)) ? 0 : 1
          }, box.pointer)
      }
    }
    try check(status)
  }

  /// The entries nearest to `query`, best first.
  ///
  /// - Parameters:
  ///   - count: The most entries.
  ///   - threshold: The smallest score.
  ///   - filter: Whether an entry may be a match. Must not use this index.
  public func search(
    _ query: [Float], count: Int = 10, threshold: Float? = nil, progress: ProgressHandler? = nil,
    filter: ((IndexEntry) -> Bool)? = nil
  ) throws(CLIPError) -> [IndexEntry] {
    try require(query.count, width, "query")
    let list = Box<[IndexEntry]>([])
    let box = filter.map { Box($0) }
    try withCMemory { memory throws(CLIPError) in
      var options = sized(clip_index_search_options(), \.struct_size)
      options.count = try number(count, "count")
      if let threshold {
        options.flags = UInt32(CLIP_INDEX_THRESHOLD)
        options.threshold = threshold
      }
      options.progress = memory.progress(progress)
      if let box {
        options.filter_user = box.pointer
        options.filter = { user, entry in
          guard let entry = entry?.pointee, let filter = Box<(IndexEntry) -> Bool>.at(user)?.value else { return 0 }
          return filter(IndexEntry(entry)) ? 1 : 0
        }
      }
      let status = withExtendedLifetime(box) {
        clip_index_search(handle, query, &options, EmbeddingIndex.visitor, list.pointer)
      }
      try check(status)
    }
    return list.value
  }

  /// The nearest pairs of entries, best first.
  public func duplicates(
    threshold: Float = 0.95, count: Int = 10_000, progress: ProgressHandler? = nil
  ) throws(CLIPError) -> [(a: IndexEntry, b: IndexEntry)] {
    typealias Pair = (a: IndexEntry, b: IndexEntry)
    return try withCMemory { memory throws(CLIPError) in
      var options = sized(clip_index_duplicates_options(), \.struct_size)
      options.count = try number(count, "count")
      options.threshold = threshold
      options.progress = memory.progress(progress)
      let pairs = Box<[Pair]>([])
      let status = withExtendedLifetime(pairs) {
        clip_index_duplicates(
          handle, &options,
          { user, a, b in
            guard let a = a?.pointee, let b = b?.pointee, let pairs = Box<[Pair]>.at(user) else { return 1 }
            pairs.value.append((IndexEntry(a), IndexEntry(b)))
            return 0
          }, pairs.pointer)
      }
      try check(status)
      return pairs.value
    }
  }

  /// Groups of entries, joined by pairs that score at least `threshold`, directly or through others: those with the
  /// nearest pair first, a group's entries in the order of keys. An entry's score is that with the one nearest to it.
  public func groups(threshold: Float = 0.95, progress: ProgressHandler? = nil) throws(CLIPError) -> [[IndexEntry]] {
    try withCMemory { memory throws(CLIPError) in
      var options = sized(clip_index_groups_options(), \.struct_size)
      options.threshold = threshold
      options.progress = memory.progress(progress)
      let groups = Box<[[IndexEntry]]>([])
      let status = withExtendedLifetime(groups) {
        clip_index_groups(
          handle, &options,
          { user, group, entry in
            guard let entry = entry?.pointee, let groups = Box<[[IndexEntry]]>.at(user) else { return 1 }
            if group >= groups.value.count { groups.value.append([]) }
            groups.value[groups.value.count - 1].append(IndexEntry(entry))
            return 0
          }, groups.pointer)
      }
      try check(status)
      return groups.value
    }
  }

  private static var visitor: clip_index_entry_fn {
    { user, entry in
      if let entry = entry?.pointee { Box<[IndexEntry]>.at(user)?.value.append(IndexEntry(entry)) }
      return 0
    }
  }
}

private func require(_ found: Int, _ expected: Int, _ what: String) throws(CLIPError) {
  guard found == expected else {
    throw CLIPError(.invalidArgument, "\(what): expected \(expected) elements, found \(found)")
  }
}

/// Byte strings as C structs.
private func bytes(_ values: [[UInt8]], _ memory: CMemory) -> UnsafePointer<clip_index_bytes>? {
  memory.array(values.map { clip_index_bytes(data: memory.array($0), size: $0.count) })
}
