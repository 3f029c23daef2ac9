import CClip

/// Checks a tokenizer: with files that are no model, and with a model and all kinds of texts.
struct TokenizerCheck {
  private let table: clip_tokenizer
  private let report: Report

  init(_ file: ByteString, _ index: Int, _ report: Report) throws(CLIPError) {
    table = try LoadedPlugin(file).item(
      index, CLIP_KIND_TOKENIZER, clip_tokenizer.self, size: MemoryLayout<clip_tokenizer>.size,
      needed: [\.open, \.encode, \.close]
    ).pointee
    self.report = report
  }

  /// The tokens of a row.
  private static let context = 64
  private static let largestVocabulary = 1 << 22

  /// `model` is the only file of the model folder.
  func run(model: ByteString?) throws(CLIPError) {
    var random = RandomNumbers(seed: 3)
    var files = (0...64).map { size in (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) } }
    files.append((0..<100_000).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    var name: ByteString?
    var size = Self.largestVocabulary
    if let model {
      let whole = try readFile(model)
      name = ByteString(model.lastComponent)
      guard let opened = try open(whole, name, size) else { return try report.fail("\(model.shown) is not opened") }
      close(opened)
      size = try smallestVocabulary(whole, name)
      guard let opened = try open(whole, name, size) else { throw CLIPError("the same file is refused later") }
      try check(opened, size)
      close(opened)
      try comeAndGo(whole, name, size)
      for cut in 0..<64 { files.append(Array(whole.prefix(whole.count * cut / 64))) }
      for _ in 0..<200 {
        var spoilt = whole
        spoilt[random.below(spoilt.count)] = UInt8(truncatingIfNeeded: random.next())
        files.append(spoilt)
      }
    } else {
      try report.note("without --model, a model file, no text was encoded")
    }
    var taken = 0
    for bytes in files {
      guard let opened = try open(bytes, name, size) else { continue }
      taken += 1
      for text in SampleTexts.fixed.prefix(8) { try checkRange(encode(opened, Array(text.utf8)), size, text) }
      close(opened)
      if report.failures > 8 { return try report.note("and more") }
    }
    if report.failures == 0 {
      try report.pass("\(files.count) spoilt files: \(taken) open, the others are refused with words")
    }
  }

  // MARK: A model

  private struct Opened: @unchecked Sendable { let pointer: UnsafeMutableRawPointer? }

  /// The folder from which a tokenizer is opened. It has one file, which has any name if `name` is nil.
  private final class Folder {
    let memory: GuardedBytes
    let name: ByteString?

    init(_ memory: GuardedBytes, _ name: ByteString?) {
      self.memory = memory
      self.name = name
    }
  }

  /// nil if the file is refused.
  private func open(_ bytes: [UInt8], _ name: ByteString?, _ size: Int) throws(CLIPError) -> Opened? {
    guard let memory = GuardedBytes(bytes) else { throw CLIPError("no memory for a file of \(bytes.count) bytes") }
    let folder = Folder(memory, name)
    var pointer: UnsafeMutableRawPointer?
    // The file is freed after the call.
    let words = PluginWords { error in
      "model".withCString { path in
        "folder".withCString { kind in
          var model = clip_tokenizer_model(
            struct_size: UInt32(MemoryLayout<clip_tokenizer_model>.size), flags: 0, folder: path, kind: kind,
            language: nil, cleaning: CLIP_CLEANING_NONE, context_length: UInt32(Self.context),
            vocabulary_size: UInt32(size), padding: -1, host: Unmanaged.passUnretained(folder).toOpaque(),
            file: { model, name, data, size, _ in
              guard let host = model?.pointee.host, let name else { return CLIP_INVALID_ARGUMENT }
              let folder = Unmanaged<Folder>.fromOpaque(host).takeUnretainedValue()
              if let own = folder.name, own.bytes != Array(String(cString: name).utf8) { return CLIP_NOT_FOUND }
              data?.pointee = UnsafePointer(folder.memory.data)
              size?.pointee = folder.memory.count
              return CLIP_OK
            })
          return table.open(&model, &pointer, error)
        }
      }
    }
    try report.require(memory.isMarginIntact && memory.bytes == bytes, "open wrote to the file's bytes")
    withExtendedLifetime(folder) {}
    guard words.status == CLIP_OK else {
      try report.require(!words.text.isEmpty, "open refused \(bytes.count) bytes without a word")
      return nil
    }
    return Opened(pointer: pointer)
  }

  private func close(_ opened: Opened) { table.close(opened.pointer) }

  /// The smallest vocabulary size with which the model opens. Ids must be below it.
  private func smallestVocabulary(_ whole: [UInt8], _ name: ByteString?) throws(CLIPError) -> Int {
    var (low, high) = (1, Self.largestVocabulary)
    while low < high {
      let middle = (low + high) / 2
      if let opened = try open(whole, name, middle) {
        close(opened)
        high = middle
      } else {
        low = middle + 1
      }
    }
    return high
  }

  private func comeAndGo(_ whole: [UInt8], _ name: ByteString?, _ size: Int) throws(CLIPError) {
    func round(_ count: Int) throws(CLIPError) {
      for _ in 0..<count {
        guard let opened = try open(whole, name, size) else { throw CLIPError("the same file is refused later") }
        close(opened)
      }
    }
    try round(8)
    let before = residentPages()
    try round(40)
    let grown = (residentPages() - before) * 4096
    try report.require(
      grown < max(1 << 20, 4 * whole.count), "40 rounds of open and close left \(grown >> 10) KB behind")
  }

  // MARK: Texts

  private struct Tokens: Equatable {
    /// All tokens of the row.
    var ids: [Int32]
    var count: Int
    var status: clip_status
    var words: String
    var isIntact: Bool

    var isDone: Bool { status == CLIP_OK }
  }

  private func encode(_ opened: Opened, _ text: [UInt8], flags: Int = CLIP_TEXT_TRUNCATE) -> Tokens {
    let room = Self.context
    guard let source = GuardedBytes(text), let target = GuardedBytes(count: room * 4, fill: 0xa5) else {
      return Tokens(ids: [], count: 0, status: CLIP_OUT_OF_MEMORY, words: "no memory", isIntact: true)
    }
    var count = -1
    let words = UnsafeMutableRawPointer(source.data).withMemoryRebound(to: CChar.self, capacity: text.count) { text in
      UnsafeMutableRawPointer(target.data).withMemoryRebound(to: Int32.self, capacity: room) { ids in
        PluginWords { table.encode(opened.pointer, text, source.count, UInt32(flags), ids, &count, $0) }
      }
    }
    let ids = UnsafeMutableRawPointer(target.data).assumingMemoryBound(to: Int32.self)
    return Tokens(
      ids: Array(UnsafeBufferPointer(start: ids, count: words.status == CLIP_OK ? room : 0)), count: count,
      status: words.status, words: words.text,
      isIntact: target.isMarginIntact && source.isMarginIntact && source.bytes == text)
  }

  /// The rows were filled with negative ids, so an id that was not written is below 0.
  private func checkRange(_ tokens: Tokens, _ size: Int, _ text: String) throws(CLIPError) {
    let place = "\"\(text.prefix(24))\": "
    try report.require(tokens.isIntact, place + "encode wrote beside its row, or to the text")
    guard tokens.isDone else {
      return try report.require(!tokens.words.isEmpty, place + "encode refused it without a word")
    }
    try report.require(
      (0...Self.context).contains(tokens.count),
      place + "expected 0 to \(Self.context) tokens in a row, found \(tokens.count)")
    if let wrong = tokens.ids.first(where: { $0 < 0 || Int($0) >= size }) {
      try report.fail(place + "expected ids below \(size), found \(wrong)")
    }
  }

  private func check(_ opened: Opened, _ size: Int) throws(CLIPError) {
    let texts = SampleTexts.fixed + SampleTexts.random(100, seed: 12)
    var taken = 0
    var all: [(bytes: [UInt8], tokens: Tokens)] = []
    for text in texts {
      let bytes = Array(text.utf8)
      let tokens = encode(opened, bytes)
      try checkRange(tokens, size, text)
      taken += tokens.isDone ? 1 : 0
      all.append((bytes, tokens))
      try report.require(
        encode(opened, bytes) == tokens, "\"\(text.prefix(24))\": called again, it gave something else")
      let whole = encode(opened, bytes, flags: 0)
      try report.require(
        whole == tokens || !whole.isDone,
        "\"\(text.prefix(24))\": without CLIP_TEXT_TRUNCATE it gave other ids, and did not refuse it")
      if report.failures > 8 { return try report.note("and more") }
    }
    try report.require(taken > 0, "no text that this check knows is taken")
    let long = Array(String(repeating: "a cat ", count: 40 * Self.context).utf8)
    try report.require(
      encode(opened, long, flags: 0).status == CLIP_LIMIT,
      "a text of \(long.count) bytes: expected CLIP_LIMIT without CLIP_TEXT_TRUNCATE")
    // The host refuses such texts. The tokenizer may refuse or accept them, but must not crash.
    for bytes in TokenizerCheck.malformed { try checkRange(encode(opened, bytes), size, "malformed UTF-8") }
    let known = all
    var agree = true
    onThreads(4) { thread in
      for place in known.indices {
        let index = (place * (thread % 2 == 0 ? 1 : known.count - 1) + thread * 7) % known.count
        guard encode(opened, known[index].bytes) == known[index].tokens else { return false }
      }
      return true
    } result: {
      agree = agree && $0
    }
    try report.require(agree, "on 4 threads at once, it gave other ids")
    if report.failures == 0 {
      try report.pass(
        "\(grouped(UInt64(size))) tokens; \(taken) texts: ids in range, long ones shortened or refused, the same on 4 threads"
      )
    }
  }

  /// UTF-8 that is truncated, overlong, a surrogate, out of range, or without a start byte.
  private static let malformed: [[UInt8]] = [
    [0x80], [0xc3], [0xe7, 0x8c], [0xf0, 0x9f, 0x98], [0xc0, 0xaf], [0xe0, 0x80, 0xaf], [0xed, 0xa0, 0x80],
    [0xf4, 0x90, 0x80, 0x80],
    [0xff, 0xfe], [0x61, 0xc3, 0x28, 0x62], [UInt8](repeating: 0xbf, count: 300),
  ]
}
