import CClip
import CSystem

/// The tensors of a model's weights: one file, or the shards that an index lists. Immutable.
struct StoredTensors {
  /// The path of the file or of the index, for messages.
  let path: String
  let tensors: TensorMap

  /// Opens the first of `candidates` that exists in `folder`, or else the only file of weights there. A name that ends
  /// in ".json" is an index. `formats` read what is not safetensors. CLIP_NOT_FOUND if there is no file.
  init(folder: String, candidates: [Name], formats: [WeightFormat]) throws(ClipError) {
    var chosen: Name?
    for candidate in candidates where chosen == nil {
      if try FileKind(join(folder, candidate)) != .absent { chosen = candidate }
    }
    let name: Name
    if let chosen { name = chosen } else { name = try StoredTensors.onlyFile(of: folder, candidates) }
    let path = join(folder, name)
    let tensors =
      name.hasSuffix(".json")
      ? try StoredTensors.readShards(index: path, folder, formats) : try StoredTensors.read(path, formats)
    self.init(path, StoredTensors.withoutPrefixes(tensors))
  }

  init(_ path: String, _ tensors: TensorMap) {
    self.path = path
    self.tensors = tensors
  }

  /// Tensors of zeros, to run an encoder without weights, such as for timing. All of them share one
  /// mapping, which takes no physical memory.
  init(zeros parameters: [Parameter]) throws(ClipError) {
    let file = try MappedFile(zeros: try product(parameters.reduce(1) { max($0, $1.count) }, 4, "zeros"))
    var tensors = TensorMap(capacity: parameters.count)
    for parameter in parameters {
      let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[0..<(4 * parameter.count)])
      tensors.add(
        Safetensors.Tensor(
          name: parameter.name, type: .float32, shape: parameter.shape, bytes: bytes, count: parameter.count, file: file
        ))
    }
    self.init(file.path, tensors)
  }

  /// Whether convolutions of the training form became one, as timm's reparameterize_model makes them.
  var hasFusedConvolutions: Bool { tensors.list.contains { $0.name.hasSuffix(".reparam_conv.weight") } }

  /// The tensors under `scope`, with names below it.
  func under(_ scope: Name) -> StoredTensors {
    var found = TensorMap()
    for tensor in tensors.list where tensor.name.hasPrefix(scope + ".") {
      var inner = tensor
      inner.name = Name(utf8: Array(tensor.name.utf8.dropFirst(scope.utf8.count + 1)))
      found.add(inner)
    }
    return StoredTensors(path, found)
  }

  /// These tensors, and those of `other` under `scope`.
  func adding(_ other: StoredTensors, under scope: Name) -> StoredTensors {
    var tensors = tensors
    for tensor in other.tensors.list {
      var scoped = tensor
      scoped.name = scope + "." + tensor.name
      tensors.add(scoped)
    }
    return StoredTensors(path, tensors)
  }

  /// The tensors of one file.
  private static func read(_ path: String, _ formats: [WeightFormat]) throws(ClipError) -> TensorMap {
    if Name(path).hasSuffix(".safetensors") { return try Safetensors(path: path).tensors }
    let file = try MappedFile(mapping: path)
    if try Safetensors.recognises(file) { return try Safetensors(path: path).tensors }
    for format in formats where format.recognises(file) { return try format.tensors(of: file) }
    var ids = ""
    for format in formats { ids += ", " + String(cString: format.table.pointee.id) }
    throw ClipError(
      CLIP_UNSUPPORTED,
      path + ": expected weights in a format that a plugin reads (safetensors\(ids)), found none of them")
  }

  /// Opens the shards of an index in the format of Hugging Face's model.safetensors.index.json:
  /// {"weight_map": {tensor: file}}.
  private static func readShards(index: String, _ folder: String, _ formats: [WeightFormat]) throws(ClipError)
    -> TensorMap
  {
    let json = try JSON.load(index)
    guard let map = json["weight_map"]?.object else {
      throw ClipError(CLIP_FORMAT, index + ": weight_map: expected an object of tensor names and file names")
    }
    var shards: [TensorMap] = []
    var indexes: [Name: Int] = [:]
    var tensors = TensorMap(capacity: map.count)
    for (tensor, value) in map {
      guard let name = value.string, isFileName(name) else {
        throw ClipError(
          CLIP_FORMAT,
          "\(index): weight_map: \(tensor.string): expected the name of a file beside it, found \(value.kind)")
      }
      let shard: TensorMap
      if let known = indexes[name] {
        shard = shards[known]
      } else {
        do throws(ClipError) {
          shard = try read(join(folder, name), formats)
        } catch {
          throw error.at(index)
        }
        indexes[name] = shards.count
        shards.append(shard)
        for part in shard.list {
          if let other = tensors.add(part) {
            throw ClipError(
              CLIP_FORMAT, "\(index): tensor \(part.name.string) is both in \(other.path) and in \(part.path)")
          }
        }
      }
      guard shard[tensor] != nil else {
        throw ClipError(CLIP_FORMAT, "\(index): tensor \(tensor.string) is not in \(join(folder, name))")
      }
    }
    return tensors
  }

  /// The tensors without prefixes that wrappers add to all names: PyTorch's DataParallel ("module."), its compiler
  /// ("_orig_mod."), and classes that contain the model ("model.", "clip.").
  private static func withoutPrefixes(_ tensors: TensorMap) -> TensorMap {
    let wrappers: [Name] = ["module.", "_orig_mod.", "model.", "clip."]
    var tensors = tensors
    while let prefix = wrappers.first(where: { wrapper in
      !tensors.list.isEmpty
        && tensors.list.allSatisfy { $0.name.hasPrefix(wrapper) && $0.name.utf8.count > wrapper.utf8.count }
    }) {
      var renamed = TensorMap(capacity: tensors.list.count)
      for tensor in tensors.list {
        var renaming = tensor
        renaming.name = Name(utf8: Array(tensor.name.utf8.dropFirst(prefix.utf8.count)))
        renamed.add(renaming)
      }
      tensors = renamed
    }
    return tensors
  }

  /// The one file of the folder that can be weights. CLIP_NOT_FOUND if there is none, CLIP_FORMAT if there are several.
  private static func onlyFile(of folder: String, _ candidates: [Name]) throws(ClipError) -> Name {
    let endings: [Name] = [".safetensors", ".bin", ".pt", ".pth", ".ckpt"]
    let found = try names(in: folder, endingIn: "").filter { name in
      endings.contains { name.hasSuffix($0) } && name != "training_args.bin"
    }
    var expected = ""
    for (index, name) in candidates.enumerated() { expected += (index == 0 ? "" : " or ") + name.string }
    guard let name = found.first else {
      throw ClipError(CLIP_NOT_FOUND, "\(folder): expected \(expected), found none of them")
    }
    guard found.count == 1 else {
      throw ClipError(
        CLIP_FORMAT, "\(folder): expected \(expected) or one other file of weights, found " + describe(names: found))
    }
    return name
  }
}

/// Whether `name` is one path component, so that it cannot lead out of a folder.
func isFileName(_ name: Name) -> Bool {
  !name.isEmpty && name != "." && name != ".." && !name.utf8.contains(UInt8(ascii: "/")) && !name.utf8.contains(0)
}
