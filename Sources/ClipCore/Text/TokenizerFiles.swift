import CClip
import CSystem

/// A merge as its file names it.
struct NamedMerge {
  let left: Name
  let right: Name
  let place: MergePlace
}

/// Where a merge stands; the words are only put together for a message.
struct MergePlace {
  let path: String
  let unit: StaticString
  let number: Int

  var text: String { "\(path): \(unit) \(number)" }
}

/// A token that was added to the vocabulary, or is special in it.
struct AddedToken {
  let name: Name
  /// nil where the file does not say it.
  let id: Int?
  let isNormalized: Bool
  let place: String
}

/// The vocabulary and merges of one folder, read but not yet brought together.
struct TokenizerFiles {
  /// The file that the vocabulary is from.
  let place: String
  let vocabulary: Vocabulary
  let merges: [NamedMerge]
  let addedTokens: [AddedToken]
  /// nil where the files do not name one.
  let unknownToken: Name?
  let splitsSpecials: Bool

  init(folder: String, vocabularySize: Int) throws(ClipError) {
    let vocabularyPath = folder + "/vocab.json"
    let mergesPath = folder + "/merges.txt"
    let fastPath = folder + "/tokenizer.json"
    let hasVocabulary = TokenizerFiles.exists(vocabularyPath)
    let hasMerges = TokenizerFiles.exists(mergesPath)
    if hasVocabulary && hasMerges {
      let limit = TokenizerFiles.byteLimit(vocabularySize)
      place = vocabularyPath
      vocabulary = try Vocabulary(
        try TokenizerFiles.json(vocabularyPath, limit), size: vocabularySize, place: vocabularyPath)
      merges = try TokenizerFiles.readMerges(mergesPath, limit)
      addedTokens = []
      unknownToken = nil
      splitsSpecials = true
    } else if TokenizerFiles.exists(fastPath) {
      let limit = TokenizerFiles.byteLimit(vocabularySize)
      let fast = try FastTokenizerFile(try TokenizerFiles.json(fastPath, limit), fastPath, vocabularySize)
      place = fastPath
      vocabulary = fast.vocabulary
      merges = fast.merges
      addedTokens = fast.addedTokens
      unknownToken = fast.unknownToken
      splitsSpecials = fast.splitsSpecials
    } else {
      let found = hasVocabulary ? "vocab.json alone" : hasMerges ? "merges.txt alone" : "none of them"
      throw ClipError(CLIP_NOT_FOUND, "\(folder): expected vocab.json and merges.txt, or tokenizer.json, found \(found)")
    }
  }

  static func exists(_ path: String) -> Bool { path.withCString { access($0, F_OK) } == 0 }

  /// What a file of so many tokens may take: parsing needs a multiple of it in memory.
  static func byteLimit(_ vocabularySize: Int) -> Int { max(1 << 20, min(vocabularySize, 1 << 20) * 256) }

  static func json(_ path: String, _ byteLimit: Int) throws(ClipError) -> JSON {
    let file = try contents(path, byteLimit)
    defer { withExtendedLifetime(file) {} }
    return try JSON.parse(file.bytes, place: path)
  }

  private static func contents(_ path: String, _ byteLimit: Int) throws(ClipError) -> MappedFile {
    let file = try MappedFile(path: path)
    guard file.bytes.count <= byteLimit else {
      throw ClipError(CLIP_LIMIT, "\(path): expected at most \(byteLimit) bytes, found \(file.bytes.count)")
    }
    return file
  }

  /// One merge a line, two tokens and a space between; a first line "#version: …" is left out.
  private static func readMerges(_ path: String, _ byteLimit: Int) throws(ClipError) -> [NamedMerge] {
    let file = try contents(path, byteLimit)
    defer { withExtendedLifetime(file) {} }
    let bytes = file.bytes
    var end = bytes.count
    while end > 0, bytes[end - 1] == 0x0A || bytes[end - 1] == 0x0D { end -= 1 }
    var merges: [NamedMerge] = []
    var number = 0
    var at = 0
    while at < end {
      number += 1
      let start = at
      while at < end, bytes[at] != 0x0A { at += 1 }
      var stop = at
      if stop > start, bytes[stop - 1] == 0x0D { stop -= 1 }
      at += 1
      let line = Name(utf8: Array(bytes[start..<stop]))
      if number == 1, line.hasPrefix("#version") { continue }
      merges.append(try NamedMerge(line, MergePlace(path: path, unit: "line", number: number)))
    }
    return merges
  }
}

extension NamedMerge {
  /// From "left right".
  init(_ line: Name, _ place: MergePlace) throws(ClipError) {
    let bytes = line.utf8
    let space = bytes.firstIndex(of: 0x20) ?? 0
    guard space > 0, space + 1 < bytes.count, !bytes[(space + 1)...].contains(0x20) else {
      throw ClipError(
        CLIP_FORMAT, "\(place.text): expected two tokens with one space between, found \(JSON.string(line).kind)")
    }
    self.init(left: Name(utf8: Array(bytes[..<space])), right: Name(utf8: Array(bytes[(space + 1)...])), place: place)
  }
}
