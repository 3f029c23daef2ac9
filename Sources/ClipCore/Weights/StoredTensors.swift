import CClip
import CSystem

/// The tensors of a model's weights: one safetensors file, or the shards that an index lists. Immutable.
final class StoredTensors {
  /// The path of the file or of the index, for messages.
  let path: String
  let tensors: [Name: Safetensors.Tensor]

  /// Opens the first of `candidates` that exists in `folder`. A name that ends in ".json" is an index.
  /// CLIP_NOT_FOUND if none exists, CLIP_UNSUPPORTED if the folder has pickled weights instead.
  // Convenience: a designated initialiser that throws leaks the instance in Embedded Swift 6.3.
  convenience init(folder: String, candidates: [Name]) throws(ClipError) {
    var chosen: Name?
    for candidate in candidates where chosen == nil {
      if try FileKind(join(folder, candidate)) != .absent { chosen = candidate }
    }
    guard let chosen else { throw StoredTensors.noWeights(folder, candidates) }
    let path = join(folder, chosen)
    let isIndex = chosen.hasSuffix(".json")
    self.init(path, isIndex ? try StoredTensors.readShards(index: path, folder) : try Safetensors(path: path).tensors)
  }

  init(_ path: String, _ tensors: [Name: Safetensors.Tensor]) {
    self.path = path
    self.tensors = tensors
  }

  /// Tensors of zeros, to run an encoder without weights, such as for timing. All of them share one
  /// mapping, which takes no physical memory.
  convenience init(zeros parameters: [Parameter]) throws(ClipError) {
    let file = try MappedFile(zeros: try product(parameters.reduce(1) { max($0, $1.count) }, 4, "zeros"))
    var tensors: [Name: Safetensors.Tensor] = [:]
    for parameter in parameters {
      let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[0..<(4 * parameter.count)])
      tensors[parameter.name] = Safetensors.Tensor(
        name: parameter.name, type: .float32, shape: parameter.shape, bytes: bytes, count: parameter.count, file: file)
    }
    self.init(file.path, tensors)
  }

  /// Opens the shards of an index in the format of Hugging Face's model.safetensors.index.json:
  /// {"weight_map": {tensor: file}}.
  private static func readShards(index: String, _ folder: String) throws(ClipError) -> [Name: Safetensors.Tensor] {
    let json = try JSON.load(index)
    guard let map = json["weight_map"]?.object else {
      throw ClipError(CLIP_FORMAT, index + ": weight_map: expected an object of tensor names and file names")
    }
    var shards: [Name: Safetensors] = [:]
    var tensors: [Name: Safetensors.Tensor] = [:]
    for (tensor, value) in map {
      guard let name = value.string, isFileName(name) else {
        throw ClipError(
          CLIP_FORMAT,
          "\(index): weight_map: \(tensor.string): expected the name of a file beside it, found \(value.kind)")
      }
      if shards[name] == nil {
        let shard: Safetensors
        do throws(ClipError) {
          shard = try Safetensors(path: join(folder, name))
        } catch {
          throw error.at(index)
        }
        shards[name] = shard
        for (key, part) in shard.tensors {
          if let other = tensors.updateValue(part, forKey: key) {
            throw ClipError(CLIP_FORMAT, "\(index): tensor \(key.string) is both in \(other.path) and in \(part.path)")
          }
        }
      }
      guard shards[name]?.tensors[tensor] != nil else {
        throw ClipError(CLIP_FORMAT, "\(index): tensor \(tensor.string) is not in \(join(folder, name))")
      }
    }
    return tensors
  }

  /// The error for a folder without any of the candidates.
  private static func noWeights(_ folder: String, _ candidates: [Name]) -> ClipError {
    var names = ""
    for (index, candidate) in candidates.enumerated() { names += (index == 0 ? "" : " or ") + candidate.string }
    if let pickle = findPickle(folder) {
      return ClipError(
        CLIP_UNSUPPORTED,
        "\(join(folder, pickle)): pickled weights are not read, since reading a pickle can run code; expected \(names): "
          + "save the model's state dict with safetensors.torch.save_file (Python), or save_pretrained of Hugging Face")
    }
    return ClipError(CLIP_NOT_FOUND, "\(folder): expected \(names), found none of them")
  }

  private static func findPickle(_ folder: String) -> Name? {
    guard let all = try? names(in: folder, endingIn: "") else { return nil }
    let endings: [Name] = [".bin", ".pt", ".pth", ".ckpt", ".pkl"]
    return all.first { name in endings.contains { name.hasSuffix($0) } }
  }
}

/// Whether `name` is one path component, so that it cannot lead out of a folder.
func isFileName(_ name: Name) -> Bool {
  !name.isEmpty && name != "." && name != ".." && !name.utf8.contains(UInt8(ascii: "/")) && !name.utf8.contains(0)
}
