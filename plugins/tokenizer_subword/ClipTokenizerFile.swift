import CClip
import ClipBase

/// Recognises a tokenizer.json that describes CLIP's tokenizer, which BytePairTokenizer computes faster than the pipeline.
enum ClipTokenizerFile {
  private static var words: Name { #"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"# }
  private static var specials: Name { #"<\|startoftext\|>|<\|endoftext\|>|"# }

  static func matches(_ json: JSON) -> Bool {
    guard let model = json["model"], isBytePairs(model), isNormalizer(json["normalizer"]) else { return false }
    return isSplit(json["pre_tokenizer"])
  }

  /// Whether the split pattern contains the names of the start and end tokens.
  static func splitsSpecials(_ json: JSON) -> Bool { pattern(json["pre_tokenizer"]) == specials + words }

  private static func isBytePairs(_ model: JSON) -> Bool {
    guard model["type"] == nil || model["type"]?.string == "BPE", model["end_of_word_suffix"]?.string == "</w>",
      model["continuing_subword_prefix"]?.string ?? "" == "", model["dropout"] == nil, model["vocab"]?.object != nil,
      model["merges"]?.array != nil
    else { return false }
    let off: [Name] = ["byte_fallback", "ignore_merges", "fuse_unk"]
    return !off.contains { model[$0] != nil && model[$0]?.bool != false }
  }

  /// NFC, one space for each run of white space, and lower case.
  private static func isNormalizer(_ json: JSON?) -> Bool {
    guard let json, json["type"]?.string == "Sequence", let steps = json["normalizers"]?.array, steps.count == 3 else {
      return false
    }
    return steps[0]["type"]?.string == "NFC" && steps[1]["type"]?.string == "Replace"
      && steps[1]["pattern"]?["Regex"]?.string == #"\s+"# && steps[1]["content"]?.string == " "
      && steps[2]["type"]?.string == "Lowercase"
  }

  private static func pattern(_ json: JSON?) -> Name? {
    guard let steps = json?["pretokenizers"]?.array, steps.count == 2 else { return nil }
    return steps[0]["pattern"]?["Regex"]?.string
  }

  /// CLIP's pattern, then a byte-level step.
  private static func isSplit(_ json: JSON?) -> Bool {
    guard let json, json["type"]?.string == "Sequence", let steps = json["pretokenizers"]?.array,
      let pattern = pattern(json), pattern == words || pattern == specials + words
    else { return false }
    return steps[0]["type"]?.string == "Split" && steps[0]["behavior"]?.string == "Removed"
      && steps[0]["invert"]?.bool == true && steps[1]["type"]?.string == "ByteLevel"
      && steps[1]["add_prefix_space"]?.bool == false && steps[1]["use_regex"]?.bool ?? true
  }
}
