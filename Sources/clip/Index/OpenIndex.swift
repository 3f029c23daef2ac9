import ArgumentParser
import Glibc

/// The options of commands that work with an index.
struct IndexOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The file of the index (default: clipcore/images.index in $XDG_DATA_HOME or ~/.local/share).", valueName: "file"))
  var index: ByteString?

  func path() throws(CLIPError) -> ByteString {
    if let index { return index }
    return try Self.standard()
  }

  /// The default path of the index. Its folder is created with the index.
  static func standard() throws(CLIPError) -> ByteString {
    let variable = { (name: String) in
      getenv(name).map { ByteString(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
    }
    if let data = variable("XDG_DATA_HOME"), data.bytes.first == UInt8(ascii: "/") {
      return data.appending(Array("clipcore/images.index".utf8))
    }
    guard let home = variable("HOME"), !home.bytes.isEmpty else {
      throw CLIPError("there is no HOME to keep an index in: expected --index and a file")
    }
    return home.appending(Array(".local/share/clipcore/images.index".utf8))
  }
}

/// The options of commands that may open a model to update an index.
struct UpdateOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The model's folder (default: the one that the index was made with).", valueName: "dir"))
  var model: ByteString?

  @OptionGroup var storage: StorageOptions
  @OptionGroup var batch: BatchOptions
}

/// An index with its settings. One command at a time may change it.
final class OpenIndex {
  let path: ByteString
  let runtime: Runtime
  let index: EmbeddingIndex
  var settings: IndexSettings
  private let options: UpdateOptions
  private let threads: Int
  private var lock: Int32 = -1

  /// Opens the index. With `creates`, a missing one is created for the model of the options.
  init(
    _ path: ByteString, _ runtime: Runtime, _ options: UpdateOptions, images: ImageOptions? = nil, threads: Int,
    creates: Bool
  ) throws(CLIPError) {
    (self.path, self.runtime, self.options, self.threads) = (path, runtime, options, threads)
    let stored = try IndexSettings(of: path)
    let existing = creates ? try OpenIndex.ifMade(path, runtime) : try OpenIndex.existing(path, runtime)
    guard
      let given = try options.model.map({ (model: ByteString) throws(CLIPError) in try model.real }) ?? stored?.model
    else { throw CLIPError("nothing says which model embeds the images: expected --model") }
    settings = stored ?? IndexSettings(model: given)
    if let images { try settings.take(images, isNew: existing == nil, path) }
    let fingerprint = try EmbeddingIndex.fingerprint(of: try given.utf8) + settings.fingerprint
    if let existing {
      guard existing.fingerprint == fingerprint else {
        throw CLIPError(
          "\(path.shown) has embeddings of \(settings.model.shown) (\(existing.fingerprint)), found the model "
            + "\(given.shown) (\(fingerprint)): expected that model, or another --index", status: .mismatch)
      }
      index = existing
    } else {
      if try path == IndexOptions.standard() { try makeFolder(path.folder) }
      try OpenIndex.requireWritable(path)
      let model = try Model(
        try given.utf8, runtime: runtime, towers: .image, storage: options.storage.storage, options: .withoutWeights)
      let format = EmbeddingIndex.Format(fingerprint: fingerprint, width: model.width)
      index = try EmbeddingIndex(path: path.bytes, runtime: runtime, format: format)
    }
    settings.model = given
  }

  /// An index made by clip index.
  static func existing(
    _ path: ByteString, _ runtime: Runtime, readOnly: Bool = false
  ) throws(CLIPError) -> EmbeddingIndex {
    if let index = try ifMade(path, runtime, readOnly: readOnly) { return index }
    throw CLIPError(
      path.withCString { access($0, F_OK) } == 0
        ? "\(path.shown) is empty, because clip index was ended before it had made the index: run clip index again"
        : "there is no index \(path.shown): expected one that clip index has made", status: .notFound)
  }

  /// nil if the file is missing, or empty because the process that created it was interrupted.
  private static func ifMade(
    _ path: ByteString, _ runtime: Runtime, readOnly: Bool = false
  ) throws(CLIPError) -> EmbeddingIndex? {
    do throws(CLIPError) {
      return try EmbeddingIndex(path: path.bytes, runtime: runtime, readOnly: readOnly)
    } catch {
      guard error.status == .notFound else { throw error }
      // SQLite reports a missing file also if it cannot create files beside a good one.
      if let state = try? FileState(of: path), state.size > 0 { try requireWritable(path) }
      return nil
    }
  }

  deinit { if lock >= 0 { close(lock) } }

  /// Large images are decoded at reduced size.
  var encode: EncodeFilesOptions {
    var encode = EncodeFilesOptions()
    encode.batchSize = options.batch.batch
    encode.workers = threads
    encode.shrink = true
    encode.image = Image.Options(asStored: settings.asStored, lenient: settings.lenient)
    encode.encode = EncodeOptions(background: settings.background)
    return encode
  }

  /// The embedding of an image; nil unless the index has the current file.
  func indexed(_ image: ByteString) throws(CLIPError) -> [Float]? {
    let path = try image.real
    guard let entry = try index.embedding(of: path), try FileState(of: path) == entry.record.state else { return nil }
    return entry.embedding
  }

  func open(_ towers: Towers) throws(CLIPError) -> Model {
    try Model(try settings.model.utf8, runtime: runtime, towers: towers, storage: options.storage.storage)
  }

  /// SQLite would report it only after the first images are embedded, and without the path.
  private static func requireWritable(_ path: ByteString) throws(CLIPError) {
    for file in [path.folder] + ["", "-wal", "-shm"].map({ ByteString(path.bytes + Array($0.utf8)) })
    where file.withCString({ access($0, W_OK) }) != 0 && (errno != ENOENT || file == path.folder) {
      throw .system("cannot write \(file.shown)")
    }
  }

  /// Keeps other commands from changing the index until this is released; false if one does so now.
  func reserve() throws(CLIPError) -> Bool {
    try OpenIndex.requireWritable(path)
    let file = ByteString(path.bytes + Array(".lock".utf8))
    lock = file.withCString { Glibc.open($0, O_RDWR | O_CREAT | O_CLOEXEC, 0o666) }
    guard lock >= 0 else { throw .system("cannot write \(file.shown)") }
    if flock(lock, LOCK_EX | LOCK_NB) == 0 { return true }
    guard errno == EWOULDBLOCK else { throw .system("cannot lock \(file.shown)") }
    return false
  }

  /// Compares these folders, or all of the index's, with the index.
  func scan(_ folders: [IndexedFolder]? = nil) throws(CLIPError) -> IndexUpdate {
    try IndexUpdate(
      index, folders ?? settings.folders, endings: runtime.imageEndings, unusable: settings.unusable)
  }

  /// As `scan`; nil, with a message, if another command is changing the index or it is not writable.
  func scanIfFree() throws(CLIPError) -> IndexUpdate? {
    let reason: String
    do throws(CLIPError) {
      if try reserve() { return try scan() }
      reason = "Another command changes \(path.shown) now"
    } catch {
      guard error.status == .io else { throw error }
      reason = error.message
    }
    Console.shared.line("\(reason): it is searched as it is.")
    return nil
  }

  /// Makes the changes and saves the settings.
  func run(_ update: inout IndexUpdate) throws(CLIPError) {
    try update.run(encode) { () throws(CLIPError) in try open(.image) }
    guard settings.unusable != update.report.unusable else { return }
    settings.unusable = update.report.unusable
    try settings.write(of: path)
  }
}

/// Makes a folder and its parents, unless they exist.
func makeFolder(_ path: ByteString) throws(CLIPError) {
  let parent = path.folder
  if parent != path, parent.withCString({ access($0, F_OK) }) != 0 { try makeFolder(parent) }
  if path.withCString({ mkdir($0, 0o777) }) != 0, errno != EEXIST {
    throw .system("cannot make the folder \(path.shown)")
  }
}
