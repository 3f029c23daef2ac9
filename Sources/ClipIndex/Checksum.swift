/// A 64-bit checksum in four chains: finds any few bits or bytes that changed. Not for what an adversary wrote.
func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
  let prime: UInt64 = 0x9e37_79b9_7f4a_7c15
  var lanes = (seed ^ prime, seed &+ 1, ~seed, seed ^ 0x5851_f42d_4c95_7f2d)
  var offset = 0
  while offset + 32 <= bytes.count {
    lanes.0 = mixed(lanes.0, bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    lanes.1 = mixed(lanes.1, bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
    lanes.2 = mixed(lanes.2, bytes.loadUnaligned(fromByteOffset: offset + 16, as: UInt64.self))
    lanes.3 = mixed(lanes.3, bytes.loadUnaligned(fromByteOffset: offset + 24, as: UInt64.self))
    offset += 32
  }
  while offset < bytes.count {
    lanes.0 = mixed(lanes.0, UInt64(bytes[offset]))
    offset += 1
  }
  var sum = mixed(mixed(mixed(mixed(UInt64(bytes.count), lanes.0), lanes.1), lanes.2), lanes.3)
  // The finaliser of MurmurHash3 (Appleby).
  sum = (sum ^ (sum >> 33)) &* 0xff51_afd7_ed55_8ccd
  sum = (sum ^ (sum >> 33)) &* 0xc4ce_b9fe_1a85_ec53
  return sum ^ (sum >> 33)
}

@inline(__always)
private func mixed(_ lane: UInt64, _ word: UInt64) -> UInt64 {
  let product = (lane ^ word) &* 0x9e37_79b9_7f4a_7c15
  return product << 29 | product >> 35
}
