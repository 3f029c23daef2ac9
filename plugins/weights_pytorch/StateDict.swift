import CClip
import ClipPluginKit

/// The tensors of a pickle, with names joined by dots and the positions of their elements in the file.
struct StateDict {
  private let pickle: Pickle
  private var tensors: [(name: [UInt8], tensor: Pickle.Value)] = []
  /// The range of bytes in the file of the elements under a key.
  private let storage: (UnsafeBufferPointer<UInt8>) -> Range<Int>?
  private var steps = 0

  /// `root` is a state dict, a checkpoint that holds one, or a TorchScript module.
  init(
    _ pickle: Pickle, _ root: Pickle.Value, storage: @escaping (UnsafeBufferPointer<UInt8>) -> Range<Int>?
  ) throws(PluginFailure) {
    self.pickle = pickle
    self.storage = storage
    try collect(StateDict.inner(pickle, root), [], depth: 0)
    guard !tensors.isEmpty else { throw PluginFailure(CLIP_FORMAT, "expected a state dict, found no tensors") }
  }

  /// The state dict under one of the usual keys of a training checkpoint; else `root` itself.
  private static func inner(_ pickle: Pickle, _ root: Pickle.Value) -> Pickle.Value {
    let keys: [StaticString] = ["state_dict", "model_state_dict", "model"]
    for key in keys {
      var index = 0
      let members = pickle.parts(root)
      guard case .dictionary = pickle.kind(root) else { return root }
      while index + 1 < members.count {
        if case .text(let name) = pickle.kind(members[index]), name.equals(key),
          case .dictionary = pickle.kind(members[index + 1])
        {
          return members[index + 1]
        }
        index += 2
      }
    }
    return root
  }

  private mutating func collect(_ value: Pickle.Value, _ name: [UInt8], depth: Int) throws(PluginFailure) {
    steps += 1
    // Values may be shared, so a small pickle can describe an endless tree.
    guard depth <= 64, steps <= 1_000_000, name.count <= 4096 else {
      throw PluginFailure(CLIP_LIMIT, "expected a state dict of at most 64 levels and 1,000,000 values")
    }
    switch pickle.kind(value) {
    case .tensor: tensors.append((name, value))
    case .object:
      for state in pickle.parts(value) { try collect(state, name, depth: depth + 1) }
    case .dictionary:
      let members = pickle.parts(value)
      var index = 0
      while index + 1 < members.count {
        if case .text(let key) = pickle.kind(members[index]) {
          try collect(members[index + 1], name + (name.isEmpty ? [] : [UInt8(ascii: ".")]) + key, depth: depth + 1)
        }
        index += 2
      }
    default: break
    }
  }

  /// Passes every tensor to the host.
  func visit(_ visit: clip_weight_fn, _ host: UnsafeMutableRawPointer) throws(PluginFailure) {
    for (name, tensor) in tensors {
      let label = String(decoding: name.prefix(60), as: UTF8.self)
      guard case .tensor(let type, let offset) = pickle.kind(tensor), !name.contains(0) else {
        throw PluginFailure(CLIP_FORMAT, "tensor \(label): expected a name without NUL")
      }
      let parts = pickle.parts(tensor)
      let (sides, strides) = (try sizes(parts[1], label), try sizes(parts[2], label))
      guard case .storage(let stored, let key, let count) = pickle.kind(parts[0]), let place = storage(key) else {
        throw PluginFailure(CLIP_FORMAT, "tensor \(label): its elements are not in the file")
      }
      let (bytes, overflow) = count.multipliedReportingOverflow(by: stored?.bytes ?? 1)
      guard !overflow, bytes <= place.count else {
        throw PluginFailure(
          CLIP_FORMAT, "tensor \(label): expected \(count) elements in the file, found \(place.count) bytes")
      }
      let (start, startOverflow) = offset.multipliedReportingOverflow(by: type.bytes)
      guard !startOverflow, let span = span(sides, strides), span <= (bytes - min(bytes, start)) / type.bytes else {
        throw PluginFailure(CLIP_FORMAT, "tensor \(label): its shape and strides lead out of its \(count) elements")
      }
      let status = (name + [0]).withUnsafeBufferPointer { name in
        sides.withUnsafeBufferPointer { sides in
          strides.withUnsafeBufferPointer { strides in
            // An empty array may have no address. The shape of a scalar is not read.
            let fallback = UnsafeRawPointer(name.baseAddress.unsafelyUnwrapped).assumingMemoryBound(to: UInt64.self)
            var given = clip_weight_tensor(
              name: UnsafeRawPointer(name.baseAddress.unsafelyUnwrapped).assumingMemoryBound(to: CChar.self),
              dtype: type.name.cString, sides: sides.baseAddress ?? fallback, strides: strides.baseAddress,
              rank: sides.count, offset: UInt64(place.lowerBound + min(start, place.count)))
            return visit(host, &given)
          }
        }
      }
      guard status == CLIP_OK else { throw PluginFailure(status, "tensor \(label): refused") }
    }
  }

  private func sizes(_ list: Pickle.Value, _ label: String) throws(PluginFailure) -> [UInt64] {
    var sizes: [UInt64] = []
    for part in pickle.parts(list) {
      guard case .integer(let size) = pickle.kind(part), size >= 0 else {
        throw PluginFailure(CLIP_FORMAT, "tensor \(label): expected sides and strides from 0")
      }
      sizes.append(UInt64(size))
    }
    return sizes
  }

  /// The number of elements from the first to the last; nil if it does not fit 63 bits.
  private func span(_ sides: [UInt64], _ strides: [UInt64]) -> Int? {
    if sides.contains(0) { return 0 }
    var span: UInt64 = 1
    for (side, stride) in zip(sides, strides) {
      let (step, stepOverflow) = (side - 1).multipliedReportingOverflow(by: stride)
      let (sum, overflow) = span.addingReportingOverflow(step)
      guard !stepOverflow, !overflow else { return nil }
      span = sum
    }
    return Int(exactly: span)
  }
}

/// Reads an archive of torch.save or torch.jit.save: "<folder>/data.pkl", and elements in "<folder>/data/<key>".
func readArchive(_ file: UnsafeBufferPointer<UInt8>) throws(PluginFailure) -> StateDict {
  let archive = try ZipArchive(file)
  let ending: StaticString = "/data.pkl"
  var found: (folder: UnsafeBufferPointer<UInt8>, data: Range<Int>)?
  for entry in archive.entries where entry.name.count > ending.utf8CodeUnitCount {
    let folder = UnsafeBufferPointer(rebasing: entry.name.dropLast(ending.utf8CodeUnitCount))
    let end = UnsafeBufferPointer(rebasing: entry.name.suffix(ending.utf8CodeUnitCount))
    guard end.equals(ending), !folder.contains(UInt8(ascii: "/")) else { continue }
    try requireStored(entry)
    guard found == nil else { throw PluginFailure(CLIP_FORMAT, "expected one data.pkl in the archive, found several") }
    found = (folder, entry.data)
  }
  guard let found else {
    throw PluginFailure(CLIP_FORMAT, "expected a file of torch.save, found a zip archive without data.pkl")
  }
  // The elements, sorted by key for the search, and the byte order.
  var elements: [(key: UnsafeBufferPointer<UInt8>, data: Range<Int>)] = []
  for entry in archive.entries where entry.name.count > found.folder.count {
    guard UnsafeBufferPointer(rebasing: entry.name.prefix(found.folder.count)).equals(found.folder) else { continue }
    let rest = UnsafeBufferPointer(rebasing: entry.name.dropFirst(found.folder.count))
    let prefix: StaticString = "/data/"
    if rest.equals("/byteorder"), file[entry.data].first == UInt8(ascii: "b") {
      throw PluginFailure(CLIP_UNSUPPORTED, "expected little-endian weights, found big-endian ones")
    }
    if rest.count > prefix.utf8CodeUnitCount,
      UnsafeBufferPointer(rebasing: rest.prefix(prefix.utf8CodeUnitCount)).equals(prefix)
    {
      try requireStored(entry)
      elements.append((UnsafeBufferPointer(rebasing: rest.dropFirst(prefix.utf8CodeUnitCount)), entry.data))
    }
  }
  elements.sort { precedes($0.key, $1.key) }
  let bytes = UnsafeBufferPointer(rebasing: file[found.data])
  let (pickle, root) = try Pickle.run(bytes)
  let sorted = elements
  for (element, next) in zip(sorted, sorted.dropFirst()) where element.key.equals(next.key) {
    throw PluginFailure(CLIP_FORMAT, "expected entries of different names, found two data/" + text(element.key))
  }
  return try StateDict(pickle, root) { first(sorted, $0) }
}

private func requireStored(_ entry: ZipArchive.Entry) throws(PluginFailure) {
  guard entry.isStored else {
    throw PluginFailure(
      CLIP_UNSUPPORTED, "zip entry \(text(entry.name)): expected data that is stored, found it compressed or encrypted")
  }
}

/// The order of keys: by length, then by bytes.
func precedes(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Bool {
  if a.count != b.count { return a.count < b.count }
  for index in 0..<a.count where a[index] != b[index] { return a[index] < b[index] }
  return false
}
