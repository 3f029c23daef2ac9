import Glibc

/// Updates an index from folders: `init` compares their files with the index, and `run` embeds the new ones. A file
/// with the same size and time is unchanged, and one with the same content is not embedded again.
struct IndexUpdate {
  private(set) var report = Report()
  /// Every folder that was walked, to watch.
  private(set) var walked: [ByteString] = []

  private let index: EmbeddingIndex
  private let known: KnownFiles
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
    /// Folders and links that cannot be read now, or are empty as a mount point is, and how many entries each keeps.
    var away: [(place: Skipped, kept: Int)] = []
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
    known = try KnownFiles(index)
    walking.wait()
    for walk in walks {
      walked += walk.folders
      for (ending, count) in walk.others { report.others[ending, default: 0] += count }
      report.links += walk.links
      report.excluded += walk.excluded
    }
    let away = walks.flatMap { $0.unread.map(\.path) + $0.empty }
    let missing = compare(IndexUpdate.images(of: walks), unusable)
    var kept: [ByteString: Int] = [:]
    for path in missing where folders.contains(where: { path.isBelow($0.path) }) {
      if let place = away.first(where: { path.isBelow($0) }) { kept[place, default: 0] += 1 } else { gone.append(path) }
    }
    report.away = walks.flatMap(\.unread).map { ($0, kept.removeValue(forKey: $0.path) ?? 0) }
    report.away += kept.sorted { $0.key < $1.key }.map { folder, count in
      (Skipped(path: folder, reason: "the folder is empty, and \(counted(count, "image")) of it indexed"), count)
    }
    // Unusable files in folders that are missing now stay recorded.
    report.unusable += unusable.filter { image in
      !folders.contains { image.path.isBelow($0.path) } || away.contains { image.path.isBelow($0) }
    }
  }

  private typealias Found = (path: ByteString, state: FileState)

  /// In the order of their paths, each once.
  private static func images(of walks: [FolderWalk]) -> [Found] {
    var images = walks.count == 1 ? walks[0].images : walks.flatMap(\.images)
    if zip(images, images.dropFirst()).contains(where: { $1.path < $0.path }) { images.sort { $0.path < $1.path } }
    return images
  }

  /// Sorts out what of the images is new or changed, and returns the known files that are none of them.
  private mutating func compare(_ images: [Found], _ unusable: [UnusableImage]) -> [ByteString] {
    var tried: [ByteString: UnusableImage] = [:]
    for image in unusable { tried[image.path] = image }
    var missing: [ByteString] = []
    let files = known.files
    var (place, last) = (0, ByteString?.none)
    for image in images where image.path != last {
      last = image.path
      while place < files.count, files[place].path < image.path {
        missing.append(files[place].path)
        place += 1
      }
      if place < files.count, files[place].path == image.path {
        if files[place].record.state == image.state { report.unchanged += 1 } else { pending.append(image) }
        place += 1
      } else if let before = tried[image.path], before.state == image.state {
        report.unusable.append(before)
      } else {
        pending.append(image)
      }
    }
    return missing + files[place...].map(\.path)
  }

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

  /// A file that must be embedded.
  private struct New {
    let path: ByteString
    let state: FileState
    /// nil: not read yet, because no other file has its size.
    var content: ContentHash?
    /// Other new files of this content, which get the same embedding.
    var copies: ArraySlice<(path: ByteString, state: FileState)> = []
  }

  private struct Content: Hashable {
    let size: Int64
    let hash: ContentHash
  }

  /// Changes of the index that need no model, collected to be made together.
  private struct Reused {
    var moved: [(from: ByteString, to: ByteString)] = []
    var records: [IndexedImage] = []
    var copies: [IndexedImage] = []

    var count: Int { records.count + copies.count }

    mutating func flush(_ index: EmbeddingIndex) throws(CLIPError) {
      try index.rename(moved.map { ($0.from.bytes, $0.to.bytes) })
      try index.put(records)
      try index.put(copies)
      self = Reused()
    }
  }

  /// Gives pending files with a known content its embedding, and returns the other files.
  private mutating func reuse() throws(CLIPError) -> [New] {
    var sizes: [Int64: Int] = [:]
    for file in pending { sizes[file.state.size, default: 0] += 1 }
    guard !sizes.isEmpty else { return [] }
    for file in known.files { sizes[file.record.state.size]? += 1 }
    var movable = Set(gone)
    // An entry without a file is preferred: the file was moved.
    var paths: [Content: ByteString] = [:]
    for (path, record) in known.files where sizes[record.state.size] != nil {
      let content = Content(size: record.state.size, hash: record.content)
      guard let other = paths[content] else {
        paths[content] = path
        continue
      }
      let (isGone, isOtherGone) = (movable.contains(path), movable.contains(other))
      if isGone != isOtherGone ? isGone : path < other { paths[content] = path }
    }
    var reused = Reused()
    var new: [New] = []
    var places: [Content: Int] = [:]
    let progress = ProgressBar("Files", total: pending.count)
    defer { progress.finish() }
    for (number, (path, state)) in pending.enumerated() where !Interruption.isAsked {
      guard sizes[state.size, default: 0] > 1 else {
        new.append(New(path: path, state: state))
        continue
      }
      progress.update(number)
      let content: Content
      do throws(CLIPError) {
        content = Content(size: state.size, hash: try ContentHash(contentsOf: path))
      } catch {
        leaveOut(path, state, error.status, error.message)
        continue
      }
      let record = FileRecord(state: state, content: content.hash)
      let before = paths[content]
      if let former = known[path], former.content == content.hash, former.state.size == state.size {
        reused.records.append(.init(path: path, record: record))
        report.unchanged += 1
      } else if let before, movable.remove(before) != nil {
        reused.moved.append((from: before, to: path))
        reused.records.append(.init(path: path, record: record))
        paths[content] = path
        report.moved += 1
      } else if let before, before != path, let row = try embedding(of: before, content.hash, after: &reused) {
        reused.copies.append(.init(path: path, record: record, embedding: row))
        if known[path] == nil { report.added += 1 } else { report.changed += 1 }
      } else if let place = places[content] {
        new[place].copies.append((path, state))
      } else {
        places[content] = new.count
        new.append(New(path: path, state: state, content: content.hash))
      }
      if reused.count >= 1024 { try reused.flush(index) }
    }
    try reused.flush(index)
    gone.removeAll { !movable.contains($0) }
    report.isInterrupted = Interruption.isAsked
    return new
  }

  /// The embedding of a file in the index, if the file still has this content.
  private func embedding(
    of path: ByteString, _ content: ContentHash, after reused: inout Reused
  ) throws(CLIPError) -> [Float]? {
    if !reused.moved.isEmpty { try reused.flush(index) }
    guard let same = try index.embedding(of: path), same.record.content == content else { return nil }
    return same.embedding
  }

  private mutating func embed(_ new: [New], _ options: EncodeFilesOptions, _ model: Model) throws(CLIPError) {
    var (new, batch) = (new, [IndexedImage]())
    while !new.isEmpty && !report.isInterrupted {
      // Copies of what cannot be embedded are tried themselves: that file may just be gone.
      var again: [New] = []
      let isWhole = try model.embed(images: new.map { ImageInput($0.path) }, options: options) {
        (position, result) throws(CLIPError) in
        let file = new[position]
        let (content, embedding): (ContentHash, [Float])
        do throws(CLIPError) {
          embedding = Array(try result.get())
          content = if let known = file.content { known } else { try ContentHash(contentsOf: file.path) }
          guard try FileState(of: file.path) == file.state else {
            throw CLIPError("the file changed while it was read", status: .io)
          }
        } catch {
          leaveOut(file.path, file.state, error.status, error.message)
          var copies = file.copies
          guard let next = copies.popFirst() else { return }
          return again.append(New(path: next.path, state: next.state, content: file.content, copies: copies))
        }
        for (path, state) in [(file.path, file.state)] + file.copies {
          batch.append(.init(path: path, record: FileRecord(state: state, content: content), embedding: embedding))
          if batch.count >= options.batchSize { try flush(&batch) }
        }
      }
      try flush(&batch)
      report.isInterrupted = !isWhole
      new = again
    }
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
