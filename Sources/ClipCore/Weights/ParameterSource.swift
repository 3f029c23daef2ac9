import CClip

/// Parameters under the names that encoders ask by, over a checkpoint. Immutable: any number of
/// threads may read.
final class ParameterSource {
  let checkpoint: Checkpoint
  private let names: TensorNames

  init(_ checkpoint: Checkpoint, _ names: TensorNames) {
    self.checkpoint = checkpoint
    self.names = names
  }

  /// The parameter `name`; nil when the file lacks it.
  func find(_ name: Name) -> CheckpointParameter? {
    if names.isDirect, let tensor = checkpoint.tensors[name] { return CheckpointParameter(tensor, .whole) }
    var known = false
    for rule in names.rules {
      guard let tensorName = rule.tensorName(for: name) else { continue }
      known = true
      if let tensor = checkpoint.tensors[tensorName] { return CheckpointParameter(tensor, rule.recipe) }
    }
    if known || names.isDirect { return nil }
    return checkpoint.tensors[name].map { CheckpointParameter($0, .whole) }
  }

  /// The same in the parameter's shape, where the file's may be seen so.
  func find(_ parameter: Parameter) -> CheckpointParameter? {
    let found = find(parameter.name)
    return names.isDirect ? found?.withoutLeadingOnes(as: parameter.shape) : found
  }

  /// The tensor of the file that holds the parameter or, when there is none, all that could.
  func fileNames(of name: Name) -> [Name] {
    if let found = find(name) { return [found.tensor.name] }
    var candidates: [Name] = names.isDirect ? [name] : []
    for rule in names.rules {
      if let candidate = rule.tensorName(for: name) { candidates.append(candidate) }
    }
    return candidates.isEmpty ? [name] : candidates
  }

  /// Reads rows of one parameter, as CheckpointParameter.read does. CLIP_MISMATCH when the file lacks it.
  func read(_ name: Name, rows: Range<Int>, into out: UnsafeMutablePointer<Float>) throws(ClipError) {
    guard let parameter = find(name) else { throw missing(name) }
    try parameter.read(rows: rows, into: out)
  }

  /// The only number of a parameter that has one, such as logit_scale, [] or [1].
  func number(_ name: Name) throws(ClipError) -> Float {
    guard let parameter = find(name) else { throw missing(name) }
    guard parameter.tensor.count == 1 else {
      throw ClipError(
        CLIP_MISMATCH,
        "\(checkpoint.path): tensor \(name.string): expected one number, found \(describe(shape: parameter.shape))")
    }
    var value: Float = 0
    try parameter.read(rows: 0..<1, into: &value)
    return value
  }

  /// Tensors of the file, in order of name, that no parameter of `requested` is read from: of the
  /// towers said, and those that belong to no tower. Buffers that hold no weights do not count,
  /// nor do the scale and bias of the logits.
  func unused(after requested: [Name], image: Bool, text: Bool) -> [Name] {
    var used: [Name: Bool] = [:]
    for name in requested {
      if let found = find(name) { used[found.tensor.name] = true }
    }
    let skipped = (image ? [] : names.imagePrefixes) + (text ? [] : names.textPrefixes) + names.ignoredPrefixes
    var left: [Name] = []
    for (name, _) in checkpoint.tensors where used[name] == nil && !isAside(name) {
      var isSkipped = false
      for prefix in skipped where name.hasPrefix(prefix) { isSkipped = true }
      if !isSkipped { left.append(name) }
    }
    left.sort()
    return left
  }

  /// Buffers, and what belongs to the model rather than to a tower. The last three are what
  /// OpenAI's TorchScript archives keep beside the weights.
  private func isAside(_ name: Name) -> Bool {
    let buffers: [Name] = ["position_ids", "attn_mask", "num_batches_tracked"]
    for buffer in buffers where name == buffer || name.hasSuffix("." + buffer) { return true }
    let others: [Name] = ["logit_scale", "logit_bias", "input_resolution", "context_length", "vocab_size"]
    return others.contains(name) || names.others.contains(name)
  }

  private func missing(_ name: Name) -> ClipError {
    var list = ""
    for (index, candidate) in fileNames(of: name).enumerated() { list += (index == 0 ? "" : " or ") + candidate.string }
    return ClipError(CLIP_MISMATCH, "\(checkpoint.path): expected tensor \(list), found none")
  }
}
