import CClip

/// EXIF's Orientation (CIPA DC-008, 4.6.4.1.6), 1 to 8; 1 if there is none or it cannot be read. `tiff` is the data
/// after "Exif\0\0": a TIFF header and its first directory.
public func exifOrientation(_ tiff: Slice<UnsafeBufferPointer<UInt8>>) -> UInt32 {
  let bytes = UnsafeBufferPointer(rebasing: tiff)
  guard bytes.count >= 8 else { return 1 }
  let isLittle: Bool
  switch (bytes[0], bytes[1]) {
  case (0x49, 0x49): isLittle = true
  case (0x4d, 0x4d): isLittle = false
  default: return 1
  }
  func word(_ at: Int) -> Int {
    isLittle ? Int(bytes[at]) | Int(bytes[at + 1]) << 8 : Int(bytes[at]) << 8 | Int(bytes[at + 1])
  }
  func long(_ at: Int) -> Int { isLittle ? word(at) | word(at + 2) << 16 : word(at) << 16 | word(at + 2) }
  let directory = long(4)
  guard word(2) == 42, directory <= bytes.count - 2 else { return 1 }
  for index in 0..<word(directory) {
    let entry = directory + 2 + index * 12
    guard entry + 12 <= bytes.count else { return 1 }
    // Tag 0x112, one SHORT.
    if word(entry) == 0x112 {
      let value = word(entry + 8)
      return word(entry + 2) == 3 && (1...8).contains(value) ? UInt32(value) : 1
    }
  }
  return 1
}
