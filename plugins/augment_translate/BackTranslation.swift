import CClip
import CSystem
import ClipPluginKit

/// Back-translation (Sennrich et al., 2016): translates each sentence to another language and back, by Apertium
/// (Forcada et al., 2011) or another program with its stream format. If a sentence fails, the whole text stays as it is
/// and is counted as a failure.
struct BackTranslation: TextAugmentation {
  private let forward: Translator
  private let backward: Translator

  init(_ settings: Settings) {
    let language = settings.text("language")
    let through = settings.text("through")
    let command = settings.text("command")
    let seconds = settings.number("timeout")
    forward = Translator(command, language + "-" + through, seconds)
    backward = Translator(command, through + "-" + language, seconds)
  }

  func apply(_ text: UnsafeBufferPointer<UInt8>, _ sink: TextSink, _ random: Random) throws(PluginFailure) {
    var result: [UInt8] = []
    for sentence in sentences(text) {
      let content = text[sentence.content]
      result += text[sentence.space]
      if content.isEmpty { continue }
      guard let translated = forward.translate(Array(content)), let returned = backward.translate(translated) else {
        sink.countFailure()
        return try sink.append(text)
      }
      result += returned
    }
    try sink.append(result)
  }
}

/// Translates in one direction by a process, which is started when it is needed first and restarted after a failure.
/// Concurrent calls wait for each other.
final class Translator {
  private let command: String
  private let mode: String
  private let seconds: Double
  private let lock: UnsafeMutablePointer<pthread_mutex_t>
  private var process: FilterProcess?

  init(_ command: String, _ mode: String, _ seconds: Double) {
    self.command = command
    self.mode = mode
    self.seconds = seconds
    lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    pthread_mutex_init(lock, nil)
  }

  deinit {
    pthread_mutex_destroy(lock)
    lock.deallocate()
  }

  /// The translation of a sentence, without white space at its ends; nil on failure.
  func translate(_ sentence: [UInt8]) -> [UInt8]? {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    if let process, !process.isRunning { self.process = nil }
    if process == nil {
      do throws(PluginFailure) { process = try FilterProcess(command, mode) } catch { return nil }
    }
    let limit = 65536 + sentence.count * 16
    guard let answer = process?.ask(escaped(sentence), seconds: seconds, limit: limit) else {
      process = nil
      return nil
    }
    guard let translation = unescaped(answer), !translation.isEmpty, isUTF8(translation) else { return nil }
    return translation
  }
}

/// `text` in Apertium's stream format: reserved characters after a backslash, and at the end the sentence end ".[]"
/// that apertium-destxt adds.
private func escaped(_ text: [UInt8]) -> [UInt8] {
  var result: [UInt8] = []
  result.reserveCapacity(text.count + 16)
  for byte in text {
    if isReserved(byte) { result.append(0x5C) }
    result.append(byte)
  }
  return result + [0x2E, 0x5B, 0x5D]
}

/// The text of an answer in Apertium's stream format; nil if it contains a superblank.
private func unescaped(_ answer: [UInt8]) -> [UInt8]? {
  var bytes = answer[...]
  if bytes.suffix(3).elementsEqual([0x2E, 0x5B, 0x5D]) { bytes = bytes.dropLast(3) }
  var result: [UInt8] = []
  var isEscaped = false
  for byte in bytes {
    if byte == 0x5C, !isEscaped {
      isEscaped = true
      continue
    }
    if byte == 0x5B || byte == 0x5D, !isEscaped { return nil }
    isEscaped = false
    result.append(byte)
  }
  while let last = result.last, last <= 0x20 { result.removeLast() }
  return Array(result.drop { $0 <= 0x20 })
}

/// One of \ [ ] { } ^ $ / @ < >.
private func isReserved(_ byte: UInt8) -> Bool {
  switch byte {
  case 0x5C, 0x5B, 0x5D, 0x7B, 0x7D, 0x5E, 0x24, 0x2F, 0x40, 0x3C, 0x3E: true
  default: false
  }
}

private func isUTF8(_ bytes: [UInt8]) -> Bool {
  var decoder = UTF8()
  var iterator = bytes.makeIterator()
  while true {
    switch decoder.decode(&iterator) {
    case .scalarValue: continue
    case .emptyInput: return true
    case .error: return false
    }
  }
}

/// A sentence, and the white space before it.
private struct Sentence {
  var space: Range<Int>
  var content: Range<Int>
}

/// Splits a text after . ! or ? before white space, and at line ends. White space at the end of the text is a sentence
/// without content.
private func sentences(_ text: UnsafeBufferPointer<UInt8>) -> [Sentence] {
  var result: [Sentence] = []
  var at = 0
  while at < text.count {
    var start = at
    while start < text.count, text[start] <= 0x20 { start += 1 }
    var end = start
    // The end of the sentence without trailing white space.
    var contentEnd = start
    while end < text.count, text[end] != 0x0A, text[end] != 0x0D {
      let byte = text[end]
      end += 1
      if byte > 0x20 { contentEnd = end }
      if byte == 0x2E || byte == 0x21 || byte == 0x3F, end == text.count || text[end] <= 0x20 { break }
    }
    result.append(Sentence(space: at..<start, content: start..<contentEnd))
    at = contentEnd
  }
  return result
}
