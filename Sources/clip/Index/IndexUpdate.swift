import Glibc

/// Updates an index from folders: `init` compares their files with the index, and `run` embeds the new ones. A file
/// with the same size and time is unchanged, and one with the same content is not embedded again.
struct IndexUpdate {
  private(set) var report = Report()
  /// Every folder that was walked, to watch.
  private(set) var walked: [ByteString] = []

  private let index: EmbeddingIndex
  private var known: [ByteString: KnownFile]
  /// New and changed files, sorted by path.
  private var pending: [(path: ByteString, state: FileState)] = []
  /// Entries without a file, in folders that exist.
  private var gone: [ByteString] = []

  struct Report {
    var added = 0
    var changed = 0
    var moved = 0
    var removed = 0
    var unchanged = 0
    /// Entries in folders that are missing, with a reason for each folder.
    var kept = 0
    var away: [Skipped] = []
    var unusable: [UnusableImage] = []
    /// Files that the system could not read, or for which memory was missing. The next run tries them again.
    var unread: [Skipped] = []
    /// The files of `unusable` and `unread` that were found in this run.
    var skipped = 0
    /// The number of files that are not images, by name ending.
    var others: [String: Int] = [:]
    var links = 0
    var excluded = 0
    var isInterrupted = false
  }

  /// - Parameters:
  ///   - unusable: Files that are not tried again unless they have changed.
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
    // Unusable files in folders that are missing now stay recorded.
    report.unusable += unusable.filter { image in
      !folders.contains { image.path.isBelow($0.path) } || away.contains { image.path.isBelow($0) }
    }
  }

  /// Whether there is anything to do.
  var isPending: Bool { !pending.isEmpty || !gone.isEmpty }

  /// Embeds new images with the image tower of `model()` and removes entries without a file. A signal stops it early
  /// and keeps what has been embedded.
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

  /// Changes of the index that need no model, collected to be made together.
  private struct Reused {
    var moved: [(from: ByteString, to: ByteString)] = []
    var records: [IndexedImage] = []

    mutating func flush(_ index: EmbeddingIndex) throws(CLIPError) {
      try index.rename(moved.map { ($0.from.bytes, $0.to.bytes) })
      try index.put(records)
      self = Reused()
    }
  }

  /// Gives pending files with a known content its embedding, and returns the other files.
  private mutating func reuse() throws(CLIPError) -> [New] {
    guard !pending.isEmpty, !known.isEmpty else { return pending.map { ($0.path, $0.state, nil) } }
    let sizes = Set(known.values.map(\.record.state.size))
    var movable = Set(gone)
    // An entry without a file is preferred: the file was moved.
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

  /// Records a file that cannot be embedded. A file that no longer exists is ignored. Entries of files that may be
  /// readable in the next run stay.
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
