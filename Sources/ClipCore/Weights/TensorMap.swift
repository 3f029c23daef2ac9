/// Tensors of different names, in the order in which they were added.
struct TensorMap {
  private(set) var list: [Safetensors.Tensor] = []
  private var indexes: [Name: Int] = [:]

  init() {}

  init(capacity: Int) {
    list.reserveCapacity(capacity)
    indexes.reserveCapacity(capacity)
  }

  subscript(name: Name) -> Safetensors.Tensor? { indexes[name].map { list[$0] } }

  /// Adds the tensor under its name. Returns the tensor that already has this name, if there is one; it stays.
  @discardableResult
  mutating func add(_ tensor: Safetensors.Tensor) -> Safetensors.Tensor? {
    if let other = self[tensor.name] { return other }
    indexes[tensor.name] = list.count
    list.append(tensor)
    return nil
  }

  func contains(prefix: Name) -> Bool { list.contains { $0.name.hasPrefix(prefix) } }
}
