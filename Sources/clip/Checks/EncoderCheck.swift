import CClip

/// Checks an encoder: what it builds, how it runs, how it handles wrong configurations.
struct EncoderCheck {
  let file: ByteString
  let index: Int
  /// A JSON object; nil for the encoder's example.
  let config: String?

  private func runtime(_ threads: Int, kernels: String? = nil) throws(CLIPError) -> Runtime {
    try Runtime(threads: threads, plugins: [try file.utf8], kernels: kernels)
  }

  /// The encoder's id and the configuration to build it with.
  private func subject() throws(CLIPError) -> (id: String, config: String) {
    let plugin = try LoadedPlugin(file)
    let pointer = MemoryLayout<UnsafeRawPointer>.size
    let required = MemoryLayout<clip_encoder>.size - 2 * pointer
    let table = try plugin.item(index, CLIP_KIND_ENCODER, clip_encoder.self, size: required)
    let hasExample = Int(UnsafeRawPointer(table).load(as: UInt32.self)) >= required + pointer
    let example =
      hasExample ? string(UnsafeRawPointer(table).load(fromByteOffset: required, as: UnsafePointer<CChar>?.self)) : ""
    return (plugin.id(of: index), config ?? (example.isEmpty ? "{}" : example))
  }

  func build(_ report: Report) throws(CLIPError) {
    let (id, config) = try subject()
    try report.pass(try runtime(1).describeEncoder(id, config: config).text)
  }

  /// With random weights the elements are finite, and the same in each call, alone and in a batch, on any number of
  /// threads.
  func encode(_ report: Report, scratch: ByteString) throws(CLIPError) {
    let (id, config) = try subject()
    let facts = try runtime(1).describeEncoder(id, config: config)
    guard facts.parameters <= RandomModel.largest / 4 else {
      return try report.note(
        "not run: \(grouped(UInt64(facts.parameters))) parameters are too many for made-up weights")
    }
    let made = try RandomModel(encoder: id, config: config, facts: facts, in: scratch)
    let count = 3
    let input = made.input(count)
    let model = try made.open(runtime(1))
    let batch = try input.encode(model)
    let width = model.width
    try report.require(batch.allSatisfy(\.isFinite), "some features are not finite")
    try report.require(same(try input.encode(model), batch), "the same batch gave other numbers")
    for item in 0..<count {
      let alone = try input.slice(item, 1, of: count).encode(model)
      try report.require(
        same(alone, Array(batch[item * width..<(item + 1) * width])),
        "item \(item) alone gave other numbers than in a batch")
    }
    let many = try made.open(runtime(3))
    try report.require(same(try input.encode(many), batch), "three threads gave other numbers than one")
    try report.require(
      !same(Array(batch[..<width]), Array(batch[width..<2 * width])), "different items gave the same features")
    if report.failures == 0 {
      try report.pass("finite; the same alone, in a batch of \(count), on 1 and 3 threads")
    }
  }

  /// Changed configurations may be refused but must not end the process.
  func fuzz(_ report: Report) throws(CLIPError) {
    let (id, config) = try subject()
    let runtime = try runtime(1)
    var built = 0, refused = 0
    for config in ["{}", "{\"image_height\": {}}"] + EncoderCheck.changed(config) {
      do throws(CLIPError) {
        _ = try runtime.describeEncoder(id, config: config)
        built += 1
      } catch {
        refused += 1
        try report.require(!error.message.isEmpty, "a configuration was refused without a word: \(config)")
      }
    }
    if report.failures == 0 {
      try report.pass("\(built + refused) changed configurations: \(built) build, \(refused) are refused")
    }
  }

  /// Copies of `config` with each of its values replaced by each of a list.
  static func changed(_ config: String) -> [String] {
    let bytes = Array(config.utf8)
    var list: [String] = []
    for value in valueRanges(bytes) {
      for other in [
        "0", "-1", "1", "3", "7", "17", "4097", "1048576", "9007199254740993", "0.5", "1e300", "\"x\"", "null", "[]",
        "{}",
      ] {
        list.append(
          String(decoding: bytes[..<value.lowerBound] + Array(other.utf8) + bytes[value.upperBound...], as: UTF8.self))
      }
    }
    return list
  }

  /// The ranges of numbers, literals and strings that are not keys.
  private static func valueRanges(_ bytes: [UInt8]) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    var at = 0
    while at < bytes.count {
      let start = at
      if bytes[at] == UInt8(ascii: "\"") {
        at += 1
        while at < bytes.count, bytes[at] != UInt8(ascii: "\"") { at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1 }
        at = min(bytes.count, at + 1)
        var next = at
        while next < bytes.count, bytes[next] == UInt8(ascii: " ") { next += 1 }
        if next < bytes.count, bytes[next] == UInt8(ascii: ":") { continue }
        ranges.append(start..<at)
      } else if isWordByte(bytes[at]) {
        while at < bytes.count, isWordByte(bytes[at]) { at += 1 }
        ranges.append(start..<at)
      } else {
        at += 1
      }
    }
    return ranges
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (97...122).contains(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
  }

  /// Checks kernels: clip-vit with a few thousand weights, against the reference kernels.
  static func kernels(_ file: ByteString, _ index: Int, _ report: Report, scratch: ByteString) throws(CLIPError) {
    let plugin = try LoadedPlugin(file)
    let id = plugin.id(of: index)
    let config =
      "{\"image_height\": 48, \"image_width\": 48, \"patch_size\": 8, \"width\": 96, \"layers\": 2, \"heads\": 3, "
      + "\"mlp_width\": 200, \"activation\": \"quick_gelu\", \"embed_dim\": 40}"
    let reference = try Runtime(threads: 1, plugins: [try file.utf8], kernels: "reference")
    let facts = try reference.describeEncoder("clipcore.encoder.clip-vit", config: config)
    let made = try RandomModel(encoder: "clipcore.encoder.clip-vit", config: config, facts: facts, in: scratch)
    let want = try made.input(4).encode(made.open(reference))
    let runtime: Runtime
    do throws(CLIPError) {
      runtime = try Runtime(threads: 2, plugins: [try file.utf8], kernels: id)
    } catch {
      guard error.status == .unsupported else { throw error }
      return try report.note("not run: \(error.message)")
    }
    let got = try made.input(4).encode(made.open(runtime))
    var error = 0.0, size = 0.0
    for (a, b) in zip(got, want) {
      error += Double(a - b) * Double(a - b)
      size += Double(b) * Double(b)
    }
    let relative = (error / size).squareRoot()
    try report.require(relative < 1e-4, "a small transformer is off by \(relative) of its size")
    if report.failures == 0 {
      try report.pass("a small transformer as by the reference kernels, but for \(relative) of its size")
    }
  }
}

/// Whether both hold the same bits.
func same(_ a: [Float], _ b: [Float]) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { $0.bitPattern == $1.bitPattern }
}

extension EncoderInfo {
  var isText: Bool { tower == .text }

  /// On one line.
  fileprivate var text: String {
    let input = isText ? "\(contextLength) tokens" : "\(imageWidth) x \(imageHeight) pixels"
    return "\(input) to \(features) features, \(grouped(UInt64(parameters))) parameters in "
      + "\(counted(tensors.count, "tensor")), \(fixed(Double(multiplyAdds) / 1e9, 3)) G multiply-adds"
  }
}
