import CClip
import CSystem

/// The trainer's values in the form of the stored tensors: a matrix of queries, keys and values is one tensor of three
/// parameters, a projection is transposed.
extension Trainer {
  /// Copies a tensor to values[capacity].
  func read(_ kind: clip_tensor_kind, _ name: Name, into values: UnsafeMutablePointer<Float>, _ capacity: Int)
    throws(ClipError)
  {
    guard kind.rawValue <= CLIP_TENSOR_AVERAGE.rawValue else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "kind: expected a clip_tensor_kind, found \(kind.rawValue)")
    }
    // The factors of low-rank adaptation have their own names only.
    guard let expected = tensors[name] ?? store.index(name).map({ store.entries[$0].count }) else {
      throw ClipError(
        CLIP_NOT_FOUND, "name: expected a tensor of the weights in \(self.folder), found " + name.string)
    }
    try requireCapacity(capacity, expected, "values")
    var isThere = false
    for (index, entry) in store.entries.enumerated() where entry.tensor == name {
      switch kind {
      case CLIP_TENSOR_GRADIENT:
        guard let gradient = store.gradient(index), entry.kind != .statistic else { continue }
        place(entry, gradient, in: values)
      case CLIP_TENSOR_AVERAGE:
        place(entry, try numbers(index, average: true), in: values)
      default: place(entry, store.value(index), in: values)
      }
      isThere = true
    }
    guard isThere else { throw ClipError(CLIP_NOT_FOUND, "name: " + name.string + " is not trained") }
  }

  /// Each tensor with its number of elements and the factor of its learning rate, 0 if frozen.
  var trainedTensors: [(name: Name, count: Int, rate: Double)] {
    var list: [(name: Name, count: Int, rate: Double)] = []
    var places: [Name: Int] = [:]
    for entry in store.entries {
      if let place = places[entry.tensor] {
        list[place].count += entry.count
      } else {
        places[entry.tensor] = list.count
        list.append((entry.tensor, entry.count, entry.kind == .derived ? 0 : entry.rate))
      }
    }
    return list
  }

  private func place(
    _ entry: ParameterStore.Entry, _ numbers: UnsafePointer<Float>, in tensor: UnsafeMutablePointer<Float>
  ) {
    entry.arrangement.place(numbers, shape: entry.parameter.shape, in: tensor)
  }

  /// A parameter's values, or their mean; the mean of a frozen parameter is its value.
  private func numbers(_ index: Int, average wantsAverage: Bool) throws(ClipError) -> UnsafeMutablePointer<Float> {
    guard wantsAverage else { return store.value(index) }
    guard let average else { throw ClipError(CLIP_NOT_FOUND, "average: no mean of the weights is kept") }
    let entry = store.entries[index]
    return entry.trained == nil ? store.value(index) : average.floats + entry.offset
  }

  /// The weights, or their means, under the encoder's names, as tensors in the trainer's own memory.
  func weights(average wantsAverage: Bool) throws(ClipError) -> StoredTensors {
    let name = "trainer"
    let file = MappedFile(store.values, name: name)
    var tensors = TensorMap(capacity: store.indexes.count)
    for (parameter, index) in store.indexes {
      let entry = store.entries[index]
      let bytes = UnsafeRawBufferPointer(start: try numbers(index, average: wantsAverage), count: entry.count * 4)
      tensors.add(
        Safetensors.Tensor(
          name: parameter, type: .float32, shape: entry.parameter.shape, bytes: bytes, count: entry.count, file: file))
    }
    return StoredTensors(name, tensors)
  }
}
