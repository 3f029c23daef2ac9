import CUtf8proc
import ClipBase

/// Buffers of a tokenizer, kept between texts so that plain texts need no allocation. For one thread at a time.
final class TokenScratch {
  var scalars: Scalars = []
  var output = TokenOutput(limit: 0)
}

/// Recognises texts in which cleaning changes only case. Most texts are such.
enum PlainText {
  /// Whether `scalar` is the same in normalisation form C in any context: it is below U+0300, or a starter
  /// that neither decomposes nor composes with a scalar before it.
  static func isNormal(_ scalar: UInt32) -> Bool {
    if scalar < 0x300 { return true }
    if scalar >= 0x1100 && scalar < 0x1200 { return false }  // Hangul Jamo compose to syllables
    guard let property = utf8proc_get_property(Int32(truncatingIfNeeded: scalar)) else { return false }
    return property.pointee.combining_class == 0 && property.pointee.decomp_seqindex == UInt16.max
      && (property.pointee.comb_index == UInt16.max || property.pointee.comb_index < 0x8000)
  }

  /// Whether `scalar` is printable ASCII that no repair of OpenAI's cleaning applies to: not `&` or `<`.
  static func isPrintableASCII(_ scalar: UInt32) -> Bool {
    scalar >= 0x20 && scalar < 0x7F && scalar != 0x26 && scalar != 0x3C
  }
}
