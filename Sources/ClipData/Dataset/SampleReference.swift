import CClip

/// Where one image–caption pair is stored. A worker reads it.
struct SampleReference {
  enum Content {
    /// Members of an archive.
    case members(SampleParts<Extent>)
    /// A record of a table.
    case row(Extent)
    /// Files in a folder, by their paths under it.
    case files(SampleParts<Name>)
  }

  /// The index of the shard in the data set's list.
  let shard: Int
  /// The index of the pair in its shard.
  let ordinal: Int
  /// The name that the pair's files share. For a row of a table, the record's number, until it is read.
  let key: Name
  let content: Content
}

/// Reads the pairs of one shard in order.
protocol ShardReader: AnyObject {
  /// The next pair, nil at the shard's end. After an error the rest of the shard is unreadable.
  func next() throws(ClipError) -> SampleReference?
  /// Where another reader can continue with the next pair.
  var position: Int { get }
}

/// A position in a shard and the number of pairs before it.
struct ShardPosition {
  var offset = 0
  var ordinal = 0
}

/// Where the files of one pair are.
struct SampleParts<Place> {
  var image: Place?
  var text: Place?
  var json: Place?
  var label: Place?

  func map<Other>(_ other: (Place) -> Other) -> SampleParts<Other> {
    SampleParts<Other>(image: image.map(other), text: text.map(other), json: json.map(other), label: label.map(other))
  }

  subscript(kind: MemberKind) -> Place? {
    get {
      switch kind {
      case .image: image
      case .text: text
      case .json: json
      case .label: label
      }
    }
    set {
      switch kind {
      case .image: image = newValue
      case .text: text = newValue
      case .json: json = newValue
      case .label: label = newValue
      }
    }
  }
}

/// The kinds of a pair's files, by the part of the name after the key.
enum MemberKind {
  case image, text, json, label

  /// nil for any other file.
  init?(_ ending: [UInt8], imageEndings: [Name]) {
    let lower = ending.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 + 32 : $0 }
    let name = Name(utf8: lower)
    if name == "txt" {
      self = .text
    } else if name == "json" {
      self = .json
    } else if name == "cls" {
      self = .label
    } else {
      guard imageEndings.contains(name) else { return nil }
      self = .image
    }
  }
}
