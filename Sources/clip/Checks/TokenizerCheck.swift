import CClip

/// A tokenizer over files that are no model, and with one over texts of all kinds.
struct TokenizerCheck {
  private let table: clip_tokenizer
  private let report: Report

  init(_ file: ByteString, _ index: Int, _ report: Report) throws(CLIPError) {
    table = try LoadedPlugin(file).item(
      index, CLIP_KIND_TOKENIZER, clip_tokenizer.self, size: MemoryLayout<clip_tokenizer>.size,
      needed: [\.open, \.token_count, \.token_id, \.encode, \.close]
    ).pointee
    self.report = report
  }

  func run(model: ByteString?) throws(CLIPError) {
    var random = RandomNumbers(seed: 3)
    var files = (0...64).map { size in (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) } }
    files.append((0..<100_000).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    if let model {
      let whole = try readFile(model)
      guard let opened = try open(whole) else { return try report.fail("\(model.shown) is not opened") }
      try check(opened)
      close(opened)
      try comeAndGo(whole)
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
      guard let opened = try open(bytes) else { continue }
      taken += 1
      for text in SampleTexts.fixed.prefix(8) { try checkRange(opened, encode(opened, Array(text.utf8)), text) }
      close(opened)
      if report.failures > 8 { return try report.note("and more") }
    }
    if report.failures == 0 {
      try report.pass("\(files.count) spoilt files: \(taken) open, the others are refused with words")
    }
  }

  // MARK: A model

  private struct Opened: @unchecked Sendable { let pointer: UnsafeMutableRawPointer? }

  /// nil if the file is refused.
  private func open(_ bytes: [UInt8]) throws(CLIPError) -> Opened? {
    guard let memory = GuardedBytes(bytes) else { throw CLIPError("no memory for a file of \(bytes.count) bytes") }
    var pointer: UnsafeMutableRawPointer?
    // The file is gone after the call.
    let words = PluginWords { table.open(memory.data, bytes.count, &pointer, $0) }
    try report.require(memory.isMarginIntact && memory.bytes == bytes, "open wrote to the file's bytes")
    guard words.status == CLIP_OK else {
      try report.require(!words.text.isEmpty, "open refused \(bytes.count) bytes without a word")
      return nil
    }
    return Opened(pointer: pointer)
  }

  private func close(_ opened: Opened) { table.close(opened.pointer) }

  private func comeAndGo(_ whole: [UInt8]) throws(CLIPError) {
    func round(_ count: Int) throws(CLIPError) {
      for _ in 0..<count {
        guard let opened = try open(whole) else { throw CLIPError("the same file is refused later") }
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
    var ids: [Int32]
    /// As encode says, whatever there was room for.
    var count: Int
    var words: String
    var isDone: Bool
    var isIntact: Bool
  }

  /// With room for `capacity` ids; by default as many as there are.
  private func encode(_ opened: Opened, _ text: [UInt8], capacity: Int? = nil) -> Tokens {
    let room = capacity ?? text.count + 64
    guard let source = GuardedBytes(text), let target = GuardedBytes(count: room * 4, fill: 0xa5) else {
      return Tokens(ids: [], count: 0, words: "no memory", isDone: false, isIntact: true)
    }
    var count = -1
    let words = UnsafeMutableRawPointer(source.data).withMemoryRebound(to: CChar.self, capacity: text.count) { text in
      UnsafeMutableRawPointer(target.data).withMemoryRebound(to: Int32.self, capacity: room) { ids in
        PluginWords { table.encode(opened.pointer, text, source.count, ids, room, &count, $0) }
      }
    }
    let ids = UnsafeMutableRawPointer(target.data).assumingMemoryBound(to: Int32.self)
    let filled = max(0, min(room, count))
    let rest = UnsafeBufferPointer(rebasing: UnsafeBufferPointer(start: target.data, count: room * 4)[(filled * 4)...])
    let isIntact =
      target.isMarginIntact && source.isMarginIntact && source.bytes == text && rest.allSatisfy { $0 == 0xa5 }
    if words.status == CLIP_OK, count > room, count <= 1 << 24, capacity == nil {
      return encode(opened, text, capacity: count)
    }
    return Tokens(
      ids: Array(UnsafeBufferPointer(start: ids, count: filled)), count: count, words: words.text,
      isDone: words.status == CLIP_OK, isIntact: isIntact)
  }

  private func checkRange(_ opened: Opened, _ tokens: Tokens, _ text: String) throws(CLIPError) {
    let place = "\"\(text.prefix(24))\": "
    try report.require(tokens.isIntact, place + "encode wrote beside its ids, or to the text")
    guard tokens.isDone else {
      return try report.require(!tokens.words.isEmpty, place + "encode refused it without a word")
    }
    try report.require(tokens.count >= 0, place + "encode gave no count")
    let size = table.token_count(opened.pointer)
    if let wrong = tokens.ids.first(where: { $0 < 0 || Int($0) >= size }) {
      try report.fail(place + "expected ids below \(size), found \(wrong)")
    }
  }

  private func check(_ opened: Opened) throws(CLIPError) {
    let size = table.token_count(opened.pointer)
    try report.require((1...(1 << 24)).contains(size), "expected 1 to \(1 << 24) tokens, found \(size)")
    for name in ["", "</s>", "<unk>", "<pad>", "no such token \u{1}", String(repeating: "x", count: 5000)] {
      let id = name.withCString { table.token_id(opened.pointer, $0) }
      try report.require(
        id >= -1 && Int(id) < size,
        "token_id of \"\(name.prefix(20))\": expected -1 or an id below \(size), found \(id)")
    }
    let texts = SampleTexts.fixed + SampleTexts.random(100, seed: 12)
    var taken = 0
    var all: [(bytes: [UInt8], tokens: Tokens)] = []
    for text in texts {
      let bytes = Array(text.utf8)
      let tokens = encode(opened, bytes)
      try checkRange(opened, tokens, text)
      taken += tokens.isDone ? 1 : 0
      all.append((bytes, tokens))
      try report.require(
        encode(opened, bytes) == tokens, "\"\(text.prefix(24))\": called again, it gave something else")
      for room in Set([0, 1, tokens.count / 2, tokens.count - 1, tokens.count]) where room >= 0 && tokens.isDone {
        let cut = encode(opened, bytes, capacity: room)
        let place = "\"\(text.prefix(24))\" with room for \(room) of \(tokens.count) ids: "
        try report.require(cut.isIntact, place + "encode wrote beside it")
        try report.require(
          cut.isDone && cut.count == tokens.count, place + "expected the same count, found \(cut.count)")
        try report.require(cut.ids == Array(tokens.ids.prefix(room)), place + "expected the first ids, found others")
      }
      if report.failures > 8 { return try report.note("and more") }
    }
    try report.require(taken > 0, "no text that this check knows is taken")
    // The host lets no such text through. It may be refused or taken, and nothing else.
    for bytes in TokenizerCheck.malformed { try checkRange(opened, encode(opened, bytes), "malformed UTF-8") }
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
        "\(grouped(UInt64(size))) tokens; \(taken) texts: ids in range, as many as there is room for, the same on 4 threads"
      )
    }
  }

  /// UTF-8 that is cut, overlong, a surrogate, out of range, or no beginning.
  private static let malformed: [[UInt8]] = [
    [0x80], [0xc3], [0xe7, 0x8c], [0xf0, 0x9f, 0x98], [0xc0, 0xaf], [0xe0, 0x80, 0xaf], [0xed, 0xa0, 0x80],
    [0xf4, 0x90, 0x80, 0x80],
    [0xff, 0xfe], [0x61, 0xc3, 0x28, 0x62], [UInt8](repeating: 0xbf, count: 300),
  ]
}
