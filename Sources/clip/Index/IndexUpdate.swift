import Glibc

/// Brings an index up to date with folders: first `init` compares their files with what the index has of them, then
/// `run` embeds what is new. A file of the same size and time is the same; one of the same content is not embedded again.
struct IndexUpdate {
  private(set) var report = Report()
  /// Every folder that was walked, for who watches them.
  private(set) var walked: [ByteString] = []

  private let index: EmbeddingIndex
  private var known: [ByteString: KnownFile]
  /// New and changed files, in the order of their paths.
  private var pending: [(path: ByteString, state: FileState)] = []
  /// Of files that are gone, from folders that are there.
  private var gone: [ByteString] = []

  struct Report {
    var added = 0
    var changed = 0
    var moved = 0
    var removed = 0
    var unchanged = 0
    /// Entries of files in folders that are away, with a reason for each folder.
    var kept = 0
    var away: [Skipped] = []
    var unusable: [UnusableImage] = []
    /// Files that the system could not read now, or had no memory for: the next run tries them again.
    var unread: [Skipped] = []
    /// Of `unusable` and `unread`, those that were found now.
    var skipped = 0
    /// Files that are no images, by ending.
    var others: [String: Int] = [:]
    var links = 0
    var excluded = 0
    var isInterrupted = false
  }

  /// - Parameters:
  ///   - unusable: Files that are not tried again unless they changed.
  init(
    _ index: EmbeddingIndex, _ folders: [IndexedFolder], endings: Set<String>, unusable: [UnusableImage]
  ) throws(CLIPError) {
    self.index = index
    var walks: [FolderWalk] = []
    let walking = Background {
      walks = folders.map { FolderWalk($0.path, endings: endings, rules: $0.rules) }
    }
    known = try index.records()
    walking.wait()
    var tried: [ByteString: UnusableImage] = [:]
    for image in unusable { tried[image.path] = image }
    var away: [ByteString] = []
    var found: Set<ByteString> = []
    for walk in walks {
      walked += walk.folders
      away += walk.unread.map(\.path) + walk.empty
      report.away += walk.unread
      for (ending, count) in walk.others { report.others[ending, default: 0] += count }
      report.links += walk.links
      report.excluded += walk.excluded
      for image in walk.images {
        if let position = known.index(forKey: image.path) {
          guard !known.values[position].isThere else { continue }
          known.values[position].isThere = true
          if known.values[position].record.state == image.state {
            report.unchanged += 1
            continue
          }
        } else if let before = tried[image.path], before.state == image.state {
          report.unusable.append(before)
          continue
        } else if folders.count > 1, !found.insert(image.path).inserted {
          continue
        }
        pending.append(image)
      }
    }
    var emptied: [ByteString: Int] = [:]
    for (path, entry) in known where !entry.isThere && folders.contains(where: { path.isBelow($0.path) }) {
      if let folder = away.first(where: { path.isBelow($0) }) {
        emptied[folder, default: 0] += 1
        report.kept += 1
      } else {
        gone.append(path)
      }
    }
    for (folder, count) in emptied.sorted(by: { $0.key < $1.key })
    where !report.away.contains(where: { $0.path == folder }) {
      report.away.append(
        Skipped(path: folder, reason: "the folder is empty, and \(counted(count, "image")) of it indexed"))
    }
    // What cannot be tried now is remembered.
    report.unusable += unusable.filter { image in
      !folders.contains { image.path.isBelow($0.path) } || away.contains { image.path.isBelow($0) }
    }
  }

  /// Whether there is anything to do.
  var isPending: Bool { !pending.isEmpty || !gone.isEmpty }

  /// Embeds what is new with the image tower of `model()`, and removes what is gone. A signal ends it early: what is
  /// embedded by then is kept.
  mutating func run(_ options: EncodeFilesOptions, model: () throws(CLIPError) -> Model) throws(CLIPError) {
    let new = try reuse()
    if !new.isEmpty && !Interruption.isAsked { try embed(new, options, try model()) }
    guard !report.isInterrupted else { return }
    gone.sort()
    for first in stride(from: 0, to: gone.count, by: 4096) {
      try index.remove(gone[first..<min(first + 4096, gone.count)].map(\.bytes))
    }
    report.removed += gone.count
  }

  private typealias New = (path: ByteString, state: FileState, content: ContentHash?)

  private struct Content: Hashable {
    let size: Int64
    let hash: ContentHash
  }

  /// Changes of the index that need no model, made many at a time.
  private struct Reused {
    var moved: [(from: ByteString, to: ByteString)] = []
    var records: [IndexedImage] = []

    mutating func flush(_ index: EmbeddingIndex) throws(CLIPError) {
      try index.rename(moved.map { ($0.from.bytes, $0.to.bytes) })
      try index.put(records)
      self = Reused()
    }
  }

  /// Gives pending files whose content the index knows its embedding, and returns the others.
  private mutating func reuse() throws(CLIPError) -> [New] {
    guard !pending.isEmpty, !known.isEmpty else { return pending.map { ($0.path, $0.state, nil) } }
    let sizes = Set(known.values.map(\.record.state.size))
    var movable = Set(gone)
    // Of several, one that is gone: its file was moved.
    var paths: [Content: ByteString] = [:]
    for (path, entry) in known {
      let content = Content(size: entry.record.state.size, hash: entry.record.content)
      guard let other = paths[content] else {
        paths[content] = path
        continue
      }
      let (isGone, isOtherGone) = (movable.contains(path), movable.contains(other))
      if isGone != isOtherGone ? isGone : path < other { paths[content] = path }
    }
    var reused = Reused()
    var new: [New] = []
    for (path, state) in pending where !Interruption.isAsked {
      guard sizes.contains(state.size) else {
        new.append((path, state, nil))
        continue
      }
      let content: Content
      do throws(CLIPError) {
        content = Content(size: state.size, hash: try ContentHash(contentsOf: path))
      } catch {
        leaveOut(path, state, error.status, error.message)
        continue
      }
      let record = FileRecord(state: state, content: content.hash)
      if let before = known[path]?.record, before.content == content.hash, before.state.size == state.size {
        reused.records.append(.init(path: path, record: record))
        report.unchanged += 1
      } else if let before = paths[content], movable.remove(before) != nil {
        reused.moved.append((from: before, to: path))
        reused.records.append(.init(path: path, record: record))
        paths[content] = path
        report.moved += 1
      } else if let before = paths[content], before != path {
        try reused.flush(index)
        guard let same = try index.embedding(of: before), same.record.content == content.hash else {
          new.append((path, state, content.hash))
          continue
        }
        try index.put([.init(path: path, record: record, embedding: same.embedding)])
        if known[path] == nil { report.added += 1 } else { report.changed += 1 }
      } else {
        new.append((path, state, content.hash))
      }
      if reused.records.count >= 1024 { try reused.flush(index) }
    }
    try reused.flush(index)
    gone.removeAll { !movable.contains($0) }
    report.isInterrupted = Interruption.isAsked
    return new
  }

  private mutating func embed(_ new: [New], _ options: EncodeFilesOptions, _ model: Model) throws(CLIPError) {
    var batch: [IndexedImage] = []
    let isWhole = try model.embed(images: new.map { ImageInput($0.path) }, options: options) {
      (position, result) throws(CLIPError) in
      let (path, state, content) = new[position]
      do throws(CLIPError) {
        let embedding: [Float]
        switch result {
        case .success(let row): embedding = Array(row)
        case .failure(let error): throw error
        }
        let hash = if let content { content } else { try ContentHash(contentsOf: path) }
        batch.append(.init(path: path, record: FileRecord(state: state, content: hash), embedding: embedding))
      } catch {
        leaveOut(path, state, error.status, error.message)
      }
      if batch.count >= options.batchSize { try flush(&batch) }
    }
    try flush(&batch)
    if !isWhole { report.isInterrupted = true }
  }

  private mutating func flush(_ batch: inout [IndexedImage]) throws(CLIPError) {
    guard !batch.isEmpty else { return }
    try index.put(batch)
    let changed = batch.count { known[$0.path] != nil }
    report.changed += changed
    report.added += batch.count - changed
    batch.removeAll(keepingCapacity: true)
  }

  /// Notes a file that cannot be embedded. If it is just gone, it is as one that was never there. What the index has of
  /// one that may be readable the next time stays.
  private mutating func leaveOut(_ path: ByteString, _ state: FileState, _ status: CLIPStatus, _ reason: String) {
    let isTransient = status == .io || status == .outOfMemory
    if !isTransient && known[path] != nil { gone.append(path) }
    guard status != .notFound else { return }
    let entry = Skipped(path: path, reason: reason)
    entry.report()
    report.skipped += 1
    if isTransient {
      report.unread.append(entry)
    } else {
      report.unusable.append(UnusableImage(path: path, state: state, reason: entry.reason))
    }
  }
}
