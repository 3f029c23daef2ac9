import CClip
@_spi(Handles) public import CLIP

/// The place of an image: a file, or a part of a file such as a member of an archive.
public struct ImageFile: Hashable, Sendable {
  /// Bytes without NUL, which need not be UTF-8.
  public var path: [UInt8]
  /// Where the image begins in the file, in bytes.
  public var offset: Int
  /// In bytes; nil: to the end of the file.
  public var size: Int?

  public init(path: some Sequence<UInt8>, offset: Int = 0, size: Int? = nil) {
    self.path = Array(path)
    self.offset = offset
    self.size = size
  }

  public init(_ path: String) { self.init(path: path.utf8) }

  /// Visits the files in a tar archive, with their names, in order.
  ///
  /// - Parameter archive: The path of the archive, which need not be UTF-8.
  /// - Parameter visit: Returns whether to continue. If the archive is truncated or damaged, `format` is thrown after
  /// the
  ///   files before that were visited.
  public static func visit(
    archive: [UInt8], _ visit: @escaping (_ name: [UInt8], _ file: ImageFile) -> Bool
  ) throws(CLIPError) {
    let box = Box((archive: archive, visit: visit))
    try withExtendedLifetime(box) { () throws(CLIPError) in
      try withCMemory { memory throws(CLIPError) in
        let path = try memory.bytes(archive, "archive")
        try check(
          clip_archive_visit(
            path,
            { user, name, offset, size in
              guard let box = Box<(archive: [UInt8], visit: ([UInt8], ImageFile) -> Bool)>.at(user), let name else {
                return 1
              }
              let file = ImageFile(path: box.value.archive, offset: Int(clamping: offset), size: Int(clamping: size))
              return box.value.visit(bytes(name), file) ? 0 : 1
            }, box.pointer))
      }
    }
  }
}

/// How image files are embedded.
public struct EncodeFilesOptions: Sendable {
  /// The number of images encoded at once, 1 to 4096.
  public var batchSize = 32
  /// Threads that read, decode and resize; nil: as many as compute a call.
  public var workers: Int?
  /// Whether large JPEG and WebP images are decoded at 1/2, 1/4 or 1/8 of their size, but at least 1.5 times the model's
  /// size. Cosine with full decoding: at least 0.9995.
  public var shrink = false
  public var image = Image.Options()
  /// The options of encoding. Their progress handler is not called.
  public var encode = EncodeOptions()
  /// Progress in images. A decoded image counts as half until it is embedded.
  public var progress: ProgressHandler?

  public init() {}

  fileprivate func value(_ memory: CMemory) throws(CLIPError) -> clip_encode_files_options {
    var options = sized(clip_encode_files_options(), \.struct_size)
    options.flags = shrink ? UInt32(CLIP_FILES_SHRINK) : 0
    options.batch_size = try number(batchSize, "batchSize")
    options.workers = try number(workers ?? 0, "workers")
    options.image = memory.array([try image.value()])
    options.encode = memory.array([try encode.value(memory)])
    options.progress = memory.progress(progress)
    return options
  }
}

/// Receives an image's embedding, `embeddingWidth` elements that are valid during the call, or the error. Returns
/// whether to continue; if false, the call throws `cancelled`.
public typealias EncodedHandler = (_ index: Int, _ result: Result<UnsafeBufferPointer<Float>, CLIPError>) -> Bool

extension Model {
  /// Embeds image files and calls `receive` for each, on the calling thread and in order. Worker threads decode the
  /// next batch while one is encoded. Memory does not grow with the number of files. If an image cannot be read,
  /// `receive` gets the error and the call continues. Embeddings received before an error are valid.
  public func encode(
    files: [ImageFile], options: EncodeFilesOptions = .init(), _ receive: @escaping EncodedHandler
  ) throws(CLIPError) {
    guard !files.isEmpty else { return }
    let box = Box((width: info.embeddingWidth, receive: receive))
    try withExtendedLifetime(box) { () throws(CLIPError) in
      try withCMemory { memory throws(CLIPError) in
        var options = try options.value(memory)
        var places: [clip_image_file] = []
        places.reserveCapacity(files.count)
        for (index, file) in files.enumerated() {
          places.append(
            clip_image_file(
              path: try memory.bytes(file.path, "files[\(index)]"), offset: try number(file.offset, "offset"),
              size: try number(file.size ?? 0, "size")))
        }
        try check(
          clip_encode_files(
            runtime.handle, handle, places, places.count, &options,
            { user, index, embedding, status, message in
              guard let box = Box<(width: Int, receive: EncodedHandler)>.at(user) else { return 1 }
              let result: Result<UnsafeBufferPointer<Float>, CLIPError> =
                embedding.map { .success(UnsafeBufferPointer(start: $0, count: box.value.width)) }
                ?? .failure(CLIPError(CLIPStatus(rawValue: UInt32(status.rawValue)), string(message)))
              return box.value.receive(index, result) ? 0 : 1
            }, box.pointer))
      }
    }
  }
}
