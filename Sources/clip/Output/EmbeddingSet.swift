/// Embeddings of one kind in input order: `[names.count, width]` numbers.
struct EmbeddingSet {
  let kind: Kind
  let width: Int
  private(set) var names: [String] = []
  private(set) var values: [Float] = []

  enum Kind: String {
    case image, text
  }

  init(_ kind: Kind, width: Int, capacity: Int) {
    self.kind = kind
    self.width = width
    names.reserveCapacity(capacity)
    values.reserveCapacity(capacity * width)
  }

  mutating func append(_ name: String, _ embedding: ArraySlice<Float>) {
    names.append(name)
    values += embedding
  }

  func embedding(_ index: Int) -> ArraySlice<Float> {
    values[(index * width)..<((index + 1) * width)]
  }
}
