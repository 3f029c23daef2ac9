import Foundation

/// A tensor in memory, and how it is stored in a file.
public struct StoredTensor {
  public var dtype: String
  public var shape: [Int]
  public var data: Data

  public init(dtype: String, shape: [Int], data: Data) {
    self.dtype = dtype
    self.shape = shape
    self.data = data
  }

  public init(_ values: [Float], shape: [Int]) {
    self.init(dtype: "F32", shape: shape, data: values.withUnsafeBytes { Data($0) })
  }

  public func array<T: BitwiseCopyable>(of type: T.Type) -> [T] {
    [T](unsafeUninitializedCapacity: data.count / MemoryLayout<T>.stride) { buffer, count in
      _ = data.copyBytes(to: buffer)
      count = data.count / MemoryLayout<T>.stride
    }
  }

  public var floats: [Float] { array(of: Float.self) }

  /// The same numbers as "F16" or "BF16", rounded to nearest even.
  public func converted(to target: String) -> StoredTensor {
    guard dtype == "F32", target != "F32" else { return self }
    let words: [UInt16] = floats.map { value in
      if target == "F16" { return Float16(value).bitPattern }
      let bits = value.bitPattern
      return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ ((bits >> 16) & 1)) >> 16)
    }
    return StoredTensor(dtype: target, shape: shape, data: words.withUnsafeBytes { Data($0) })
  }

  /// F32 of an F16 or BF16 tensor.
  public var widened: StoredTensor {
    switch dtype {
    case "F16": StoredTensor(array(of: UInt16.self).map { Float(Float16(bitPattern: $0)) }, shape: shape)
    case "BF16": StoredTensor(array(of: UInt16.self).map { Float(bitPattern: UInt32($0) << 16) }, shape: shape)
    default: self
    }
  }
}

/// safetensors files: https://github.com/huggingface/safetensors#format
public enum Safetensors {
  public static func read(_ url: URL) throws -> [String: StoredTensor] {
    let file = try Data(contentsOf: url, options: .alwaysMapped)
    guard file.count >= 8 else { throw SupportError("\(url.path): no header") }
    let length = Int(
      file.prefix(8).enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << (8 * UInt64($1.offset)) })
    guard let header = try JSONSerialization.jsonObject(with: file[8..<8 + length]) as? [String: [String: Any]] else {
      throw SupportError("\(url.path): header is not an object")
    }
    var tensors: [String: StoredTensor] = [:]
    for (name, facts) in header where name != "__metadata__" {
      guard let dtype = facts["dtype"] as? String, let shape = facts["shape"] as? [Int],
        let offsets = facts["data_offsets"] as? [Int], offsets.count == 2
      else { throw SupportError("\(url.path): \(name) is malformed") }
      let begin = 8 + length + offsets[0]
      tensors[name] = StoredTensor(dtype: dtype, shape: shape, data: file[begin..<8 + length + offsets[1]])
    }
    return tensors
  }

  /// The eight bytes of the length, the header, then the tensors in order of name.
  public static func bytes(_ tensors: [String: StoredTensor]) throws -> Data {
    var header: [String: Any] = ["__metadata__": ["format": "pt"]]
    var body = Data()
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      header[name] = [
        "dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [body.count, body.count + tensor.data.count],
      ]
      body.append(tensor.data)
    }
    return framed(header: try JSONSerialization.data(withJSONObject: header, options: .sortedKeys), body: body)
  }

  /// A file of any header, true or not. The header is padded to eight bytes with spaces.
  public static func framed(header: Data, body: Data) -> Data {
    let padded = header + Data(repeating: 0x20, count: (8 - header.count % 8) % 8)
    return withUnsafeBytes(of: UInt64(padded.count).littleEndian) { Data($0) } + padded + body
  }

  public static func write(_ tensors: [String: StoredTensor], to url: URL) throws {
    try bytes(tensors).write(to: url)
  }
}
