import CClip

/// A tokenizer that a plugin has opened. Any number of threads may encode at once.
final class Tokenizer {
  private let table: UnsafePointer<clip_tokenizer>
  private let handle: UnsafeMutableRawPointer
  /// Held so that it stays loaded.
  private let plugin: Plugin?
  private let id: Name
  /// Ids are below it.
  private let vocabularySize: Int
  /// Tokens of one row.
  private let contextLength: Int

  /// Opens the tokenizer of a model folder. `padding` is what it must pad with, -1 for anything.
  convenience init(
    folder: String, _ kind: TokenizerKind, _ options: TokenizerOptions, isOpenClip: Bool, contextLength: Int,
    vocabularySize: Int, padding: Int32, padsRight: Bool, _ runtime: Runtime
  ) throws(ClipError) {
    let id = kind.plugin
    let plugins = try runtime.plugins(bringing: CLIP_KIND_TOKENIZER, id)
    guard let item = plugins.find(CLIP_KIND_TOKENIZER, id) else {
      throw ClipError(
        CLIP_NOT_FOUND,
        "\(folder): expected the plugin \(id.string) to read the tokenizer, found "
          + plugins.ids(CLIP_KIND_TOKENIZER)
          + ". clipcore's own is clipcore/plugins/on-demand/tokenizer_subword.so; the "
          + "log says why it was not loaded")
    }
    let table = item.table.assumingMemoryBound(to: clip_tokenizer.self)
    let files = TokenizerFiles(folder: folder)
    let strings = Arena()
    var flags: UInt32 = 0
    if options.stripsSeparator { flags |= UInt32(CLIP_TOKENIZER_STRIP_SEPARATOR) }
    if padsRight { flags |= UInt32(CLIP_TOKENIZER_PAD_RIGHT) }
    let file:
      @convention(c) (
        UnsafePointer<clip_tokenizer_model>?, UnsafePointer<CChar>?, UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
        UnsafeMutablePointer<Int>?, UnsafeMutablePointer<clip_plugin_error>?
      ) -> clip_status = { TokenizerFiles.file($0, $1, $2, $3, $4) }
    var model = clip_tokenizer_model(
      struct_size: UInt32(MemoryLayout<clip_tokenizer_model>.size),
      flags: flags, folder: strings.keep(Name(folder)), kind: kind.word(isOpenClip: isOpenClip).cString,
      language: options.language.map { strings.keep($0) }, cleaning: clip_text_cleaning(options.cleaning.rawValue),
      context_length: UInt32(clamping: contextLength), vocabulary_size: UInt32(clamping: vocabularySize),
      padding: padding, host: Unmanaged.passUnretained(files).toOpaque(),
      file: file)
    var handle: UnsafeMutableRawPointer?
    defer { withExtendedLifetime((files, strings)) {} }
    try callPlugin(id.string, "", capacity: 4096) { table.pointee.open(&model, &handle, $0) }
    guard let handle else {
      throw ClipError(CLIP_PLUGIN, "\(folder): expected a tokenizer from \(id.string), found a null pointer")
    }
    self.init(table, handle, item.plugin, id, contextLength: contextLength, vocabularySize: vocabularySize)
  }

  private init(
    _ table: UnsafePointer<clip_tokenizer>, _ handle: UnsafeMutableRawPointer, _ plugin: Plugin?, _ id: Name,
    contextLength: Int, vocabularySize: Int
  ) {
    self.table = table
    self.handle = handle
    self.plugin = plugin
    self.id = id
    self.contextLength = contextLength
    self.vocabularySize = vocabularySize
  }

  deinit { table.pointee.close(handle) }

  /// Writes one row of `contextLength` tokens. Returns the number of them without the padding at the end. A text that is
  /// too long is CLIP_LIMIT, or with `truncate` is shortened.
  func encodeRow(
    _ text: UnsafeBufferPointer<UInt8>, truncate: Bool, openAICleaning: Bool,
    into row: UnsafeMutablePointer<Int32>
  ) throws(ClipError) -> Int {
    var flags: UInt32 = truncate ? UInt32(CLIP_TEXT_TRUNCATE) : 0
    if openAICleaning { flags |= UInt32(CLIP_TEXT_OPENAI_CLEANING) }
    var count = 0
    var failure: ClipError?
    // On the stack: a warm call allocates nothing.
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { message in
      message[0] = 0
      var error = clip_plugin_error(message: message.baseAddress, capacity: message.count)
      let bytes = UnsafeRawPointer(text.baseAddress)?.assumingMemoryBound(to: CChar.self)
      let status = table.pointee.encode(
        handle, bytes ?? StaticString("").cString, text.count, flags, row, &count, &error)
      if status != CLIP_OK { failure = pluginError(id.string, "", status, Array(message)) }
    }
    if let failure { throw failure }
    for index in 0..<contextLength where row[index] < 0 || Int(row[index]) >= vocabularySize {
      throw ClipError(CLIP_PLUGIN, "\(id.string): expected ids below \(vocabularySize), found \(row[index])")
    }
    guard (0...contextLength).contains(count) else {
      throw ClipError(CLIP_PLUGIN, "\(id.string): expected at most \(contextLength) tokens, found \(count)")
    }
    return count
  }
}
