import CClip
import CSystem

/// A trained model's folder, in the layout of the one it was opened from.
extension Trainer {
  /// Writes the weights, or their exponential means, to `folder`, with the configuration and the tokenizer of the
  /// model beside them. All tensors of the checkpoint are there under their names; weights are float32.
  func export(folder: String, average wantsAverage: Bool) throws(ClipError) {
    guard !wantsAverage || average != nil else {
      throw ClipError(CLIP_NOT_FOUND, "flags: no mean of the weights is kept")
    }
    let description = try ModelDescription.open(folder: self.folder)
    try makeFolder(folder)
    var entries: [Name: [Int]] = [:]
    for (index, entry) in store.entries.enumerated() { entries[entry.tensor, default: []].append(index) }
    let tensors = description.checkpoint.tensors.values.sorted { $0.name < $1.name }
    let writer = try SafetensorsWriter(
      path: join(folder, description.weightFile),
      tensors.map {
        let isWeight = entries[$0.name] != nil
        return .init(
          name: $0.name, type: isWeight ? .float32 : $0.type, shape: $0.shape,
          byteCount: isWeight ? $0.count * 4 : $0.bytes.count)
      },
      metadata: [("format", "pt")])
    for tensor in tensors {
      guard let parts = entries[tensor.name] else {
        if let bytes = tensor.bytes.baseAddress { try writer.append(bytes, tensor.bytes.count) }
        continue
      }
      let numbers = try Memory(floats: tensor.count, for: "a tensor")
      // A tower's tensors may be parameters in part, as thirds of one matrix.
      try CheckpointParameter(tensor, .whole).read(rows: 0..<(tensor.shape.first ?? 1), into: numbers.floats)
      for index in parts {
        let entry = store.entries[index]
        let source = wantsAverage ? average.map { $0.floats + entry.offset } : nil
        entry.copy(source ?? store.value(index), toTensor: numbers.floats)
      }
      try writer.append(numbers.base, tensor.count * 4)
    }
    try copyRest(to: folder)
    try writer.finish()
  }

  /// Configuration and tokenizer: what is no weight and no code.
  private func copyRest(to folder: String) throws(ClipError) {
    let endings: [Name] = [".json", ".txt", ".model"]
    for ending in endings {
      for name in try names(in: self.folder, endingIn: ending) where !name.hasSuffix(".index.json") {
        let source = join(self.folder, name)
        guard FileKind(source) == .file else { continue }
        try copyFile(source, to: join(folder, name))
      }
    }
  }
}

/// Copies a file, aside first.
func copyFile(_ source: String, to target: String) throws(ClipError) {
  let file = try MappedFile(path: source)
  let partial = target + ".partial"
  let descriptor = partial.withCString { csystem_open_write($0) }
  guard descriptor >= 0 else { throw systemError("cannot write " + partial) }
  var done = 0
  while done < file.bytes.count, let base = file.bytes.baseAddress {
    let written = CSystem.write(descriptor, base + done, file.bytes.count - done)
    if written < 0, csystem_errno() == EINTR { continue }
    guard written > 0 else { break }
    done += written
  }
  let isWritten = done == file.bytes.count && fsync(descriptor) == 0
  let error = systemError("cannot write " + target)
  let isClosed = close(descriptor) == 0
  guard isWritten, isClosed, partial.withCString({ from in target.withCString { rename(from, $0) } }) == 0 else {
    _ = partial.withCString { unlink($0) }
    throw error
  }
}
