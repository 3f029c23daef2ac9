import Foundation

/// A reference model: the tensors it has, how each was filled, and its configuration.
public struct Manifest {
  public struct Tensor: Sendable {
    public let name: String
    public let shape: [Int]
    /// The rule that filled it: "linear", "bias", …
    public let rule: String
    public var count: Int { shape.reduce(1, *) }

    public init(name: String, shape: [Int], rule: String) {
      self.name = name
      self.shape = shape
      self.rule = rule
    }
  }

  public let tensors: [Tensor]
  /// Hugging Face's config.json or open_clip's model_cfg; empty where clipcore.json says all.
  public let config: [String: Any]
  public let isHuggingFace: Bool
  /// clipcore.json; nil for a model in one of the other layouts alone.
  public let clipcore: [String: Any]?
  /// The shape of the reference's pixels, where they are rebuilt and not stored.
  public let pixelShape: [Int]?

  public init(tensors: [Tensor], config: [String: Any], isHuggingFace: Bool) {
    self.tensors = tensors
    self.config = config
    self.isHuggingFace = isHuggingFace
    clipcore = nil
    pixelShape = nil
  }

  /// Reads Tests/Fixtures/reference/models/<name>.json.
  public init(_ name: String) throws {
    let root = try jsonObject(at: Paths.fixtures.appending(path: "reference/models/\(name).json"))
    guard let table = root["tensors"] as? [String: [String: Any]] else { throw SupportError("\(name): no tensors") }
    var tensors: [Tensor] = []
    for (name, facts) in table.sorted(by: { $0.key < $1.key }) {
      guard let shape = facts["shape"] as? [Int], let rule = facts["init"] as? String else {
        throw SupportError("\(name): no shape or init")
      }
      tensors.append(Tensor(name: name, shape: shape, rule: rule))
    }
    self.tensors = tensors
    isHuggingFace = root["config"] != nil
    clipcore = root["clipcore"] as? [String: Any]
    pixelShape = root["pixels"] as? [Int]
    guard let config = (root["config"] ?? root["open_clip_config"] ?? clipcore.map { _ in [:] }) as? [String: Any]
    else {
      throw SupportError("\(name): no config")
    }
    self.config = config
  }

  public func part(_ key: String) -> [String: Any] { config[key] as? [String: Any] ?? [:] }
  public var vision: [String: Any] { part(isHuggingFace ? "vision_config" : "vision_cfg") }
  public var text: [String: Any] { part(isHuggingFace ? "text_config" : "text_cfg") }
  public var imageSize: Int { vision["image_size"] as? Int ?? 0 }
  public var vocabularySize: Int { text["vocab_size"] as? Int ?? 0 }
  public var contextLength: Int { text[isHuggingFace ? "max_position_embeddings" : "context_length"] as? Int ?? 0 }
}

public struct SupportError: Error, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

public func jsonObject(at url: URL) throws -> [String: Any] {
  guard let object = try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any] else {
    throw SupportError("\(url.path): not a JSON object")
  }
  return object
}
