import CClip
@_spi(Handles) public import CLIP

/// Where an image is stored: a file, or a part of one such as a member of an archive.
public struct ImageFile: Hashable, Sendable {
  /// Bytes without NUL: the name of a file need not be UTF-8.
  public var path: [UInt8]
  /// Bytes of the file before the image.
  public var offset: Int
  /// Bytes of the image; nil: all that follow.
  public var size: Int?

  public init(path: some Sequence<UInt8>, offset: Int = 0, size: Int? = nil) {
    self.path = Array(path)
    self.offset = offset
    self.size = size
  }

  public init(_ path: String) { self.init(path: path.utf8) }

  /// The files in a tar archive, with their names there, in their order.
  ///
  /// - Parameter archive: The path of the archive, which need not be UTF-8.
  /// - Parameter visit: Returns whether to go on. Where the archive is truncated or damaged, `format` is thrown after
  ///   the files before were visited.
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

/// How images of files are embedded.
public struct EncodeFilesOptions: Sendable {
  /// Images that are encoded at once, 1 to 4096.
  public var batchSize = 32
  /// Threads that read, decode and resize; nil: as many as compute a call.
  public var workers: Int?
  /// Whether large JPEG and WebP images are decoded at 1/2, 1/4 or 1/8 of their size, as long as that keeps twice the
  /// sides that the model takes: cosine with exact decoding at least 0.9995.
  public var shrink = false
  public var image = Image.Options()
  /// Its progress is not called.
  public var encode = EncodeOptions()
  /// In images: one that is decoded counts for half until it is embedded.
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

/// What became of an image: its embedding, `embeddingWidth` elements that are valid during the call, or why there is
/// none. Returns whether to go on: with false the call throws `cancelled`.
public typealias EncodedHandler = (_ index: Int, _ result: Result<UnsafeBufferPointer<Float>, CLIPError>) -> Bool

extension Model {
  /// Embeds the images of files and calls `receive` for each of them, on the calling thread and in their order. Threads
  /// of the call decode the images of the next batch while one is encoded; memory does not grow with their number. An
  /// image that cannot be read is told to `receive`, and the call goes on. What was received before an error is good.
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
