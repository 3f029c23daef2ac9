import CClip
import ClipBase

/// A token that a tokenizer file adds to the vocabulary, or declares special.
struct AddedToken {
  let name: Name
  /// nil if the file does not give it.
  let id: Int?
  /// Whether it is searched for in normalised text instead of the text as written.
  let isNormalized: Bool
  var stripsLeft = false
  var stripsRight = false
  var isWord = false
  /// The file and the entry, for messages.
  let place: String
}

extension AddedToken {
  /// Reads "added_tokens" of tokenizer.json.
  static func list(_ json: JSON, _ path: String) throws(ClipError) -> [AddedToken] {
    guard let value = json["added_tokens"] else { return [] }
    guard case .array(let items) = value else {
      throw ClipError(CLIP_FORMAT, "\(path): \"added_tokens\": expected an array, found \(value.kind)")
    }
    var added: [AddedToken] = []
    for (index, item) in items.enumerated() {
      let place = "\(path): \"added_tokens\": \(index)"
      guard let id = item["id"]?.int else {
        throw ClipError(CLIP_FORMAT, "\(place): \"id\": expected an integer, found \(item["id"]?.kind ?? "nothing")")
      }
      added.append(try AddedToken(item, id: id, place))
    }
    return added
  }

  /// Reads the object that describes a token in tokenizer.json and tokenizer_config.json.
  init(_ json: JSON, id: Int?, _ place: String) throws(ClipError) {
    guard let name = json["content"]?.string, !name.isEmpty else {
      throw ClipError(CLIP_FORMAT, "\(place): expected an object with the token as \"content\", found \(json.kind)")
    }
    self.init(
      name: name, id: id, isNormalized: json["normalized"]?.bool ?? false, stripsLeft: json["lstrip"]?.bool ?? false,
      stripsRight: json["rstrip"]?.bool ?? false, isWord: json["single_word"]?.bool ?? false, place: place)
  }
}

extension SpecialTokens.Token {
  init(_ token: AddedToken, id: Int32) {
    self.init(
      name: token.name, id: id, isNormalized: token.isNormalized, stripsLeft: token.stripsLeft,
      stripsRight: token.stripsRight, isWord: token.isWord)
  }
}
