import CUtf8proc

/// What tokenizing one text after the other needs; kept, so that plain texts take no memory.
final class TokenScratch {
  var scalars: Scalars = []
  var output = TokenOutput(limit: 0)
}

/// Texts that cleaning leaves as they are but for lower case: most that people write.
enum PlainText {
  /// Whether normalisation form C keeps `scalar` whatever stands around it: below U+0300, or a
  /// starter that neither comes apart nor goes together with what is before it.
  static func isNormal(_ scalar: UInt32) -> Bool {
    if scalar < 0x300 { return true }
    if scalar >= 0x1100 && scalar < 0x1200 { return false }  // Hangul letters make syllables
    guard let property = utf8proc_get_property(Int32(truncatingIfNeeded: scalar)) else { return false }
    return property.pointee.combining_class == 0 && property.pointee.decomp_seqindex == UInt16.max
      && (property.pointee.comb_index == UInt16.max || property.pointee.comb_index < 0x8000)
  }

  /// Whether ftfy, HTML entities and line breaks have nothing to do with `scalar`.
  static func isPrintableASCII(_ scalar: UInt32) -> Bool {
    scalar >= 0x20 && scalar < 0x7F && scalar != 0x26 && scalar != 0x3C
  }
}
