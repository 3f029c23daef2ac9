import CClip
import CUtf8proc
import ClipBase

/// Unicode normalisation form C (UAX #15).
///
/// utf8proc orders combining marks by insertion sort, which is quadratic in the length of a run. So runs are
/// ordered here by counting sort, between utf8proc's decomposition and its composition.
func normalizedNFC(_ scalars: Scalars) throws(ClipError) -> Scalars {
  // Text below U+0300, the first combining mark, is in form C.
  var isNormal = true
  for scalar in scalars where scalar >= 0x300 { isNormal = false }
  if isNormal { return scalars }

  var buffer: [Int32] = []
  buffer.reserveCapacity(scalars.count)
  for scalar in scalars { appendDecomposition(of: scalar, UTF8PROC_DECOMPOSE, to: &buffer) }
  orderMarks(&buffer)
  return try composed(&buffer)
}

/// Unicode's normalisation forms.
enum NormalizationForm { case nfc, nfd, nfkc, nfkd }

func normalized(_ scalars: Scalars, _ form: NormalizationForm) throws(ClipError) -> Scalars {
  if form == .nfc { return try normalizedNFC(scalars) }
  let isCompatible = form == .nfkc || form == .nfkd
  let options = utf8proc_option_t(UTF8PROC_DECOMPOSE.rawValue | (isCompatible ? UTF8PROC_COMPAT.rawValue : 0))
  var buffer: [Int32] = []
  buffer.reserveCapacity(scalars.count)
  for scalar in scalars { appendDecomposition(of: scalar, options, to: &buffer) }
  orderMarks(&buffer)
  return form == .nfkc ? try composed(&buffer) : buffer.map { UInt32(bitPattern: $0) }
}

/// Unicode normalisation form D.
func normalizedNFD(_ scalars: Scalars) -> Scalars {
  var buffer: [Int32] = []
  buffer.reserveCapacity(scalars.count)
  for scalar in scalars { appendDecomposition(of: scalar, UTF8PROC_DECOMPOSE, to: &buffer) }
  orderMarks(&buffer)
  return buffer.map { UInt32(bitPattern: $0) }
}

/// Unicode normalisation form KC of one scalar.
func normalizedNFKC(_ scalar: UInt32) throws(ClipError) -> Scalars {
  var buffer: [Int32] = []
  let options = utf8proc_option_t(UTF8PROC_DECOMPOSE.rawValue | UTF8PROC_COMPAT.rawValue)
  appendDecomposition(of: scalar, options, to: &buffer)
  orderMarks(&buffer)
  return try composed(&buffer)
}

/// Characters that Unicode 12 does not decompose, or not have, whose decompositions `tokenizers` is built on.
private func isDecomposedSince12(_ scalar: UInt32) -> Bool {
  switch scalar {
  case 0x32FF, 0xA7F2...0xA7F4, 0xAB69, 0x10780...0x107BA, 0x11938, 0x1E030...0x1E06D, 0x1F16C, 0x1FBF0...0x1FBF9: true
  default: false
  }
}

private func appendDecomposition(of scalar: UInt32, _ options: utf8proc_option_t, to buffer: inout [Int32]) {
  if (scalar < 0xC0 && options == UTF8PROC_DECOMPOSE) || isDecomposedSince12(scalar) {
    buffer.append(Int32(truncatingIfNeeded: scalar))
    return
  }
  // No scalar decomposes into more than 18 scalars.
  withUnsafeTemporaryAllocation(of: Int32.self, capacity: 32) { parts in
    var boundary: Int32 = 0
    let count = utf8proc_decompose_char(
      Int32(truncatingIfNeeded: scalar), parts.baseAddress, parts.count, options, &boundary)
    if count > 0, count <= parts.count {
      for index in 0..<count { buffer.append(parts[index]) }
    } else {
      buffer.append(Int32(truncatingIfNeeded: scalar))
    }
  }
}

/// Canonical ordering (Unicode, D109): sorts each run of marks by combining class, stably.
private func orderMarks(_ buffer: inout [Int32]) {
  var at = 0
  while at < buffer.count {
    let start = at
    var isOrdered = true
    var last = 0
    while at < buffer.count {
      let combining = combiningClass(buffer[at])
      if combining == 0 { break }
      if combining < last { isOrdered = false }
      last = combining
      at += 1
    }
    if !isOrdered {
      let run = Array(buffer[start..<at])
      var next = [Int](repeating: 0, count: 257)
      for mark in run { next[combiningClass(mark) + 1] += 1 }
      for combining in 1..<257 { next[combining] += next[combining - 1] }
      for mark in run {
        let combining = combiningClass(mark)
        buffer[start + next[combining]] = mark
        next[combining] += 1
      }
    }
    at += 1
  }
}

/// The canonical combining class: 0 for a starter, up to 254 for a mark.
private func combiningClass(_ scalar: Int32) -> Int {
  guard scalar >= 0x300, let property = utf8proc_get_property(scalar) else { return 0 }
  return Int(property.pointee.combining_class) & 0xFF
}

/// Canonical composition.
private func composed(_ buffer: inout [Int32]) throws(ClipError) -> Scalars {
  let options = utf8proc_option_t(UTF8PROC_COMPOSE.rawValue | UTF8PROC_STABLE.rawValue)
  var count = 0
  buffer.withUnsafeMutableBufferPointer { count = utf8proc_normalize_utf32($0.baseAddress, $0.count, options) }
  guard count >= 0, count <= buffer.count else {
    throw ClipError(CLIP_INVALID_ARGUMENT, "text: cannot be normalised: utf8proc failed with \(count)")
  }
  var scalars = Scalars()
  scalars.reserveCapacity(count)
  for index in 0..<count { scalars.append(UInt32(bitPattern: buffer[index])) }
  return scalars
}
