import CClip
import CSystem

/// Reads the weights of a trainer's checkpoint without a trainer.
extension Trainer {
  /// The trained weights, or their means, under the encoder's names. `base` has the model's other weights, to which
  /// low-rank updates are added.
  static func weights(
    savedAt path: String, average: Bool, over base: ParameterSource, _ executor: Executor
  ) throws(ClipError) -> StoredTensors {
    let (saved, file, _) = try saved(at: path)
    let prefix: Name = average ? "average." : "weight."
    let (endA, endB): (Name, Name) = (".low_rank_a", ".low_rank_b")
    var tensors = TensorMap()
    var buffer = GrowingBuffer()
    for tensor in saved.tensors.list where tensor.name.hasPrefix(prefix) && !tensor.name.hasSuffix(endB) {
      let name = tensor.name
      let own = Name(utf8: Array(name.utf8.dropFirst(prefix.utf8.count)))
      guard own.hasSuffix(endA) else {
        _ = try find(own, tensor.shape, in: base, file)
        tensors.add(tensor.named(own))
        continue
      }
      // The moving average of this tensor is stored too.
      if average { continue }
      let matrix = Name(utf8: own.utf8.dropLast(endA.utf8.count))
      guard let b = saved.tensors[prefix + matrix + endB], tensor.shape.count == 2, b.shape.count == 2,
        b.shape[1] == tensor.shape[0], (1...4096).contains(b.shape[1]),
        let bits = number(saved.metadata["low_rank_scale"])
      else {
        throw ClipError(
          CLIP_FORMAT, "\(file): \(name.string): expected another of ending \(endB.string) and low_rank_scale")
      }
      let sizes = LowRank.Sizes(features: b.shape[0], depth: tensor.shape[1], rank: b.shape[1])
      let found = try find(matrix, [sizes.features, sizes.depth], in: base, file)
      let sum = try numbers(found)
      let (first, second) = (
        try numbers(StoredParameter(tensor, .whole)), try numbers(StoredParameter(b, .whole))
      )
      try LowRank.add(
        a: first.floats, b: second.floats, scale: Double(bitPattern: bits), sizes, to: sum.floats, executor, &buffer)
      withExtendedLifetime((first, second)) {}
      tensors.add(
        Safetensors.Tensor(
          name: matrix, type: .float32, shape: found.shape,
          bytes: UnsafeRawBufferPointer(start: sum.base, count: sum.byteCount),
          count: sum.byteCount / 4, file: MappedFile(sum, name: file)))
    }
    guard !tensors.list.isEmpty else {
      throw ClipError(
        CLIP_NOT_FOUND, file + (average ? ": no mean of the weights is kept" : ": expected weights, found none"))
    }
    return StoredTensors(file, tensors)
  }

  private static func numbers(_ found: StoredParameter) throws(ClipError) -> Memory {
    let memory = try Memory(floats: product(found.rowCount, found.rowWidth, "a matrix"), for: "a matrix")
    try found.read(rows: 0..<found.rowCount, into: memory.floats)
    return memory
  }

  private static func find(_ name: Name, _ shape: [Int], in base: ParameterSource, _ file: String)
    throws(ClipError) -> StoredParameter
  {
    guard let found = base.find(Parameter(name: name, shape: shape)), found.shape == shape else {
      throw ClipError(
        CLIP_MISMATCH,
        "\(file): \(name.string): expected a parameter of the model, "
          + (base.find(name).map { describe(shape: $0.shape) } ?? "of which it has none of this name") + ", found "
          + describe(shape: shape))
    }
    return found
  }
}

extension Safetensors.Tensor {
  fileprivate func named(_ name: Name) -> Safetensors.Tensor {
    Safetensors.Tensor(name: name, type: type, shape: shape, bytes: bytes, count: count, file: file)
  }
}
