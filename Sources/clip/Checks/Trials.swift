import CClip
import Glibc

/// Texts of all kinds: empty, short, many words, long; accents, scripts, emoji, combining marks.
enum SampleTexts {
  static let fixed = [
    "", "a", " ", "a photo of a cat", "Ein Foto: „Äpfel“ & Öl, 3 × 4 m²!", "一张猫的照片", "صورة قطة", "तस्वीर",
    "e\u{301}\u{323}",
    "👩‍👩‍👧‍👦 🇨🇭 🏳️‍🌈", "\u{feff}\u{200b}\u{202e}x", "<b>&amp;&#x41;</b>\t\r\n", "\u{10ffff}\u{e000}\u{fffd}",
    String(repeating: "the quick brown fox jumps over the lazy dog ", count: 60), String(repeating: "猫", count: 1500),
  ]

  /// Random code points, without NUL.
  static func random(_ count: Int, seed: UInt64) -> [String] {
    var random = RandomNumbers(seed: seed)
    return (0..<count).map { _ in
      var text = ""
      for _ in 0..<random.below(40) {
        let bits = UInt32(1 + random.below([0x60, 0x7ff, 0xffff, 0x10ffff][random.below(4)]))
        if let scalar = Unicode.Scalar(bits) { text.unicodeScalars.append(scalar) }
      }
      return text
    }
  }
}

/// Resident memory of this process, in pages.
func residentPages() -> Int {
  guard let bytes = try? readFile(ByteString("/proc/self/statm")) else { return 0 }
  let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
  return words.count > 1 ? Int(words[1]) ?? 0 : 0
}

/// The time of a monotonic clock.
func milliseconds() -> Double {
  var now = timespec()
  clock_gettime(CLOCK_MONOTONIC, &now)
  return Double(now.tv_sec) * 1000 + Double(now.tv_nsec) / 1e6
}

/// Memory for a plugin's error message.
struct PluginWords {
  var status: clip_status
  var text: String

  init(_ call: (UnsafeMutablePointer<clip_plugin_error>) -> clip_status) {
    var words = [CChar](repeating: 0, count: 512)
    status = words.withUnsafeMutableBufferPointer { buffer in
      var error = clip_plugin_error(message: buffer.baseAddress, capacity: buffer.count)
      return call(&error)
    }
    text = String(decoding: words.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
