import Foundation
import Glibc

/// Rebuilds the weights that the reference outputs were computed with. A tensor's numbers depend on its name, shape,
/// rule and the seed alone.
public enum ReferenceWeights {
  /// The bytes of one tensor.
  private static func fill(_ tensor: Manifest.Tensor, seed: Int) throws -> Data {
    let count = tensor.count
    if tensor.rule == "count" { return Data(count: 8 * count) }
    var random = NumPyRandom(seed: UInt32(truncatingIfNeeded: Int(crc32(tensor.name)) + 7919 * seed))
    var values = [Float](repeating: 0, count: count)
    let shape = tensor.shape
    switch tensor.rule {
    case "norm_weight": for i in 0..<count { values[i] = Float(1 + 0.1 * random.normal()) }
    case "bias": for i in 0..<count { values[i] = Float(0.02 * random.normal()) }
    case "running_mean": for i in 0..<count { values[i] = Float(0.1 * random.normal()) }
    case "running_var": for i in 0..<count { values[i] = Float(abs(1 + 0.1 * random.normal())) }
    case "embedding": for i in 0..<count { values[i] = Float(0.2 * random.normal()) }
    case "linear":
      let root = Double(shape[1]).squareRoot()
      for i in 0..<count { values[i] = Float(1.4 * random.normal() / root) }
    case "conv":
      let factor = (2 / Double(shape.dropFirst().reduce(1, *))).squareRoot()
      for i in 0..<count { values[i] = Float(random.normal() * factor) }
    case "projection":
      let root = Double(shape[0]).squareRoot()
      for i in 0..<count { values[i] = Float(random.normal() / root) }
    case "logit_scale": for i in 0..<count { values[i] = Float(log(1 / 0.07)) }
    case "one": for i in 0..<count { values[i] = 1 }
    default: throw SupportError("\(tensor.name): unknown rule \(tensor.rule)")
    }
    return values.withUnsafeBytes { Data($0) }
  }

  public static func tensors(_ manifest: Manifest, seed: Int = 0) throws -> [String: StoredTensor] {
    var result: [String: StoredTensor] = [:]
    for tensor in manifest.tensors {
      let dtype = tensor.rule == "count" ? "I64" : "F32"
      result[tensor.name] = StoredTensor(dtype: dtype, shape: tensor.shape, data: try fill(tensor, seed: seed))
    }
    return result
  }

  /// Writes the checkpoint tensor by tensor, on as many threads as there are processors.
  public static func write(_ manifest: Manifest, seed: Int = 0, to url: URL) throws {
    var header: [String: Any] = ["__metadata__": ["format": "pt"]]
    var offsets: [Int] = []
    var end = 0
    for tensor in manifest.tensors {
      let size = tensor.count * (tensor.rule == "count" ? 8 : 4)
      header[tensor.name] = [
        "dtype": tensor.rule == "count" ? "I64" : "F32", "shape": tensor.shape, "data_offsets": [end, end + size],
      ]
      offsets.append(end)
      end += size
    }
    let json = try JSONSerialization.data(withJSONObject: header, options: .sortedKeys)
    let front = Safetensors.framed(header: json, body: Data())
    try front.write(to: url)
    let file = try FileHandle(forWritingTo: url)
    defer { try? file.close() }
    let descriptor = file.fileDescriptor
    // The largest first, so that no thread is left with a long one at the end.
    let order = manifest.tensors.indices.sorted { manifest.tensors[$0].count > manifest.tensors[$1].count }
    let failures = Failures()
    let tensors = manifest.tensors, starts = offsets
    DispatchQueue.concurrentPerform(iterations: order.count) { i in
      do {
        let data = try fill(tensors[order[i]], seed: seed)
        try data.withUnsafeBytes { bytes in
          guard let base = bytes.baseAddress else { return }
          var done = 0
          while done < bytes.count {
            let n = pwrite(
              descriptor, base + done, bytes.count - done, off_t(front.count + starts[order[i]] + done))
            guard n > 0 else { throw SupportError("\(url.path): cannot write") }
            done += n
          }
        }
      } catch { failures.add(error) }
    }
    if let error = failures.first { throw error }
  }
}

/// Errors from several threads; the first is kept.
private final class Failures: @unchecked Sendable {
  private let lock = NSLock()
  private(set) var first: (any Error)?
  func add(_ error: any Error) { lock.withLock { if first == nil { first = error } } }
}
