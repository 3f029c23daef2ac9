import CClip

/// Finds parameters in the weights by the names that encoders use. Immutable: any number of threads may
/// read at once.
final class ParameterSource {
  let weights: StoredTensors
  private let names: TensorNames

  init(_ weights: StoredTensors, _ names: TensorNames) {
    self.weights = weights
    self.names = names
  }

  /// The parameter `name`; nil if the file does not have it.
  func find(_ name: Name) -> StoredParameter? {
    if names.isDirect, let tensor = weights.tensors[name] { return StoredParameter(tensor, .whole) }
    var hasRule = false
    for rule in names.rules {
      guard let tensorName = rule.tensorName(for: name) else { continue }
      hasRule = true
      if let tensor = weights.tensors[tensorName] { return StoredParameter(tensor, rule.arrangement) }
    }
    if hasRule || names.isDirect { return nil }
    return weights.tensors[name].map { StoredParameter($0, .whole) }
  }

  /// As `find`, for a parameter of known shape. The file may lack sides of 1 or have more: PyTorch stores a class token
  /// as [1, 1, width].
  func find(_ parameter: Parameter) -> StoredParameter? {
    var found = find(parameter.name)
    for (name, resize) in names.resizes where name == parameter.name { found = found?.resized(resize) }
    return found?.squeezed(as: parameter.shape)
  }

  /// The name of the tensor that holds the parameter or, if the file has none, all names that were tried.
  func fileNames(of name: Name) -> [Name] {
    if let found = find(name) { return [found.tensor.name] }
    var candidates: [Name] = names.isDirect ? [name] : []
    for rule in names.rules {
      if let candidate = rule.tensorName(for: name) { candidates.append(candidate) }
    }
    return candidates.isEmpty ? [name] : candidates
  }

  /// Reads rows of one parameter, as StoredParameter.read does. CLIP_MISMATCH if the file does not have it.
  func read(_ name: Name, rows: Range<Int>, into out: UnsafeMutablePointer<Float>) throws(ClipError) {
    guard let parameter = find(name) else { throw missing(name) }
    try parameter.read(rows: rows, into: out)
  }

  /// The value of a parameter of one element, such as logit_scale of shape [] or [1].
  func number(_ name: Name) throws(ClipError) -> Float {
    guard let parameter = find(name) else { throw missing(name) }
    guard parameter.tensor.count == 1 else {
      throw ClipError(
        CLIP_MISMATCH,
        "\(weights.path): tensor \(name.string): expected one number, found \(describe(shape: parameter.shape))")
    }
    var value: Float = 0
    try parameter.read(rows: 0..<1, into: &value)
    return value
  }

  /// The tensors of the file that hold none of the parameters `requested`, sorted by name. Tensors of a tower
  /// that was not requested, buffers, and the scale and bias of the logits are left out.
  func unused(after requested: [Name], image: Bool, text: Bool) -> [Name] {
    var used: [Name: Bool] = [:]
    for name in requested {
      if let found = find(name) { used[found.tensor.name] = true }
    }
    let skipped = (image ? [] : names.imagePrefixes) + (text ? [] : names.textPrefixes) + names.ignoredPrefixes
    var unused: [Name] = []
    for name in weights.tensors.list.map({ $0.name }) where used[name] == nil && !isOutsideTowers(name) {
      var isSkipped = false
      for prefix in skipped where name.hasPrefix(prefix) { isSkipped = true }
      for pattern in names.ignoredPatterns where matches(name, pattern: pattern) { isSkipped = true }
      if !isSkipped { unused.append(name) }
    }
    return unused.ordered(by: <)
  }

  /// Whether a tensor is a buffer, or belongs to the model rather than to a tower. The last three names
  /// are of OpenAI's TorchScript archives.
  private func isOutsideTowers(_ name: Name) -> Bool {
    let buffers: [Name] = [
      "position_ids", "attn_mask", "num_batches_tracked", "relative_position_index", "relative_coords_table",
    ]
    for buffer in buffers where name == buffer || name.hasSuffix("." + buffer) { return true }
    let others: [Name] = ["logit_scale", "logit_bias", "input_resolution", "context_length", "vocab_size"]
    return others.contains(name) || names.others.contains(name)
  }

  private func missing(_ name: Name) -> ClipError {
    var list = ""
    for (index, candidate) in fileNames(of: name).enumerated() { list += (index == 0 ? "" : " or ") + candidate.string }
    return ClipError(CLIP_MISMATCH, "\(weights.path): expected tensor \(list), found none")
  }
}
