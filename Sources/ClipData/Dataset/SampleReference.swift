import CClip

/// Where one image–caption pair lies: what is kept of it until a worker reads it.
struct SampleReference {
  enum Content {
    /// Members of an archive.
    case members(SampleParts<Extent>)
    /// A record of a table.
    case row(Extent)
    /// Files in a folder, by their paths under it.
    case files(SampleParts<Name>)
  }

  /// In the data set's list.
  let shard: Int
  /// The pair's place in its shard, from 0.
  let ordinal: Int
  /// What the pair's files have in common; of a row, which tells its own when it is read, the record's number.
  let key: Name
  let content: Content
}

/// Goes through one shard's pairs in their order there.
protocol ShardReader: AnyObject {
  /// The next pair, nil at the shard's end. After an error nothing more of the shard can be read.
  func next() throws(ClipError) -> SampleReference?
  /// From where another reader goes on with what comes next here.
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

/// The kinds of files that make up a pair, by the part of the name after the key.
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
