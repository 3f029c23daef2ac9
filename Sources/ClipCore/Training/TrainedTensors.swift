import CClip
import CSystem

/// The trainer's numbers as the checkpoint's tensors hold them: a matrix of queries, keys and values is one
/// tensor of three parameters, a projection lies transposed.
extension Trainer {
  /// Copies a tensor to values[count].
  func read(_ kind: clip_trainer_tensor, _ name: Name, into values: UnsafeMutablePointer<Float>, _ count: Int) throws(ClipError) {
    guard kind.rawValue <= CLIP_TENSOR_AVERAGE.rawValue else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "kind: expected a clip_trainer_tensor, found \(kind.rawValue)")
    }
    guard let expected = tensors[name] else {
      throw ClipError(CLIP_NOT_FOUND, "name: expected a tensor of the checkpoint in \(self.folder), found " + name.string)
    }
    guard count == expected else {
      throw ClipError(CLIP_MISMATCH, "count: \(name.string) has \(expected) numbers, found \(count)")
    }
    guard kind != CLIP_TENSOR_AVERAGE || average != nil else {
      throw ClipError(CLIP_NOT_FOUND, "kind: no mean of the weights is kept")
    }
    var isThere = false
    for (index, entry) in store.entries.enumerated() where entry.tensor == name {
      switch kind {
      case CLIP_TENSOR_GRADIENT:
        guard let gradient = store.gradient(index), entry.kind != .statistic else { continue }
        entry.copy(gradient, toTensor: values)
      case CLIP_TENSOR_AVERAGE:
        if let average { entry.copy(average.floats + entry.offset, toTensor: values) }
      default: entry.copy(store.value(index), toTensor: values)
      }
      isThere = true
    }
    guard isThere else { throw ClipError(CLIP_NOT_FOUND, "name: " + name.string + " is not trained") }
  }
}

extension ParameterStore.Entry {
  /// Copies the parameter's numbers to their places in the file's tensor.
  func copy(_ source: UnsafePointer<Float>, toTensor target: UnsafeMutablePointer<Float>) {
    switch recipe {
    case .whole: memcpy(target, source, count * 4)
    case .third(let third): memcpy(target + third * count, source, count * 4)
    case .transposed:
      let rows = parameter.shape[0]
      let columns = parameter.shape[1]
      for row in 0..<rows {
        for column in 0..<columns { target[column * rows + row] = source[row * columns + column] }
      }
    }
  }
}
