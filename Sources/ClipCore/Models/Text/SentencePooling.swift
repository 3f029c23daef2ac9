import CClip

/// The config.json of sentence-transformers' Pooling.
struct SentencePooling {
  /// The encoders' "pooling".
  let name: Name
  /// How many rows an embedding is made of, side by side.
  let parts: Int

  init(_ config: ConfigReader, width: Int) throws(ClipError) {
    for key: StaticString in ["word_embedding_dimension", "embedding_dimension"] {
      guard try config.int(key, width, ConfigReader.widths) == width else {
        throw config.error(CLIP_FORMAT, key, "config.json's width, \(width)")
      }
    }
    var found: [Name] = []
    if let modes = config.json["pooling_mode"] {
      for mode in modes.array ?? [modes] { found.append(mode.string ?? "") }
    } else {
      for (key, word) in SentencePooling.keys {
        if try config.bool(key, false) { found.append(word) }
      }
    }
    var names: [Name] = []
    for word in found {
      guard let kind = SentencePooling.kinds.firstIndex(where: { $0.word == word }) else { break }
      names.append(SentencePooling.kinds[kind].ours)
    }
    // Several stand side by side in the order that sentence-transformers has for the older keys.
    let order: [Name] = ["first", "max", "mean"]
    let places = names.compactMap { name in order.firstIndex(of: name) }
    let isOrdered = places.count == names.count && zip(places, places.dropFirst()).allSatisfy { $0 < $1 }
    guard !names.isEmpty, names.count == found.count, names.count == 1 || isOrdered else {
      throw config.error(
        CLIP_UNSUPPORTED, "pooling_mode", "cls, max, mean or lasttoken, or several of the first three in this order")
    }
    var joined = names[0]
    for name in names.dropFirst() { joined = joined + "+" + name }
    name = joined
    parts = names.count
  }

  private static var kinds: [(word: Name, ours: Name)] {
    [("cls", "first"), ("max", "max"), ("mean", "mean"), ("lasttoken", "last")]
  }
  private static var keys: [(key: StaticString, word: Name)] {
    [
      ("pooling_mode_cls_token", "cls"), ("pooling_mode_max_tokens", "max"), ("pooling_mode_mean_tokens", "mean"),
      ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len"),
      ("pooling_mode_weightedmean_tokens", "weightedmean"), ("pooling_mode_lasttoken", "lasttoken"),
    ]
  }
}
