import CClip
import ClipPluginKit

/// The format of torch.save before PyTorch 1.6: pickles of a magic number, a version, the machine's properties, the
/// value and the keys of its storages; then for each storage its number of elements in 8 bytes, and the elements.
enum LegacyFile {
  /// Protocol 2, and a LONG1 of 10 bytes with PyTorch's magic number.
  private static var magic: [UInt8] {
    [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]
  }

  static func recognises(_ data: UnsafePointer<UInt8>, _ size: Int) -> Bool {
    size >= magic.count && UnsafeBufferPointer(start: data, count: magic.count).elementsEqual(magic)
  }

  static func read(_ file: UnsafeBufferPointer<UInt8>) throws(PluginFailure) -> StateDict {
    var at = 0
    for _ in 0..<3 { at = try Pickle.run(file, from: at).0.at }
    let (pickle, root) = try Pickle.run(file, from: at)
    let (keys, list) = try Pickle.run(file, from: pickle.at)
    at = keys.at
    // The size of an element is known only where a storage is named.
    var elements: [(key: UnsafeBufferPointer<UInt8>, data: Range<Int>)] = []
    for kind in pickle.kinds {
      if case .storage(let type, let key, _) = kind { elements.append((key, 0..<(type?.bytes ?? 1))) }
    }
    elements.sort { precedes($0.key, $1.key) }
    var places: [(key: UnsafeBufferPointer<UInt8>, data: Range<Int>)] = []
    for part in keys.parts(list) {
      guard case .text(let key) = keys.kind(part), at + 8 <= file.count, let count = file.size(at),
        let bytes = first(elements, key)?.count
      else { throw PluginFailure(CLIP_FORMAT, "expected the elements of a storage at \(at)") }
      let (size, overflow) = count.multipliedReportingOverflow(by: bytes)
      guard !overflow, size <= file.count - at - 8 else {
        throw PluginFailure(CLIP_FORMAT, "a storage of \(count) elements at \(at) leads out of the file")
      }
      places.append((key, (at + 8)..<(at + 8 + size)))
      at += 8 + size
    }
    places.sort { precedes($0.key, $1.key) }
    let sorted = places
    return try StateDict(pickle, root) { key in first(sorted, key) }
  }
}

/// The range of a key in a list that is sorted by keys.
func first(
  _ sorted: [(key: UnsafeBufferPointer<UInt8>, data: Range<Int>)], _ key: UnsafeBufferPointer<UInt8>
) -> Range<Int>? {
  var (low, high) = (0, sorted.count)
  while low < high {
    let middle = (low + high) / 2
    if precedes(sorted[middle].key, key) { low = middle + 1 } else { high = middle }
  }
  return low < sorted.count && sorted[low].key.equals(key) ? sorted[low].data : nil
}
