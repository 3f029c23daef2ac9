import Glibc

/// A new TensorBoard event file with scalars, which TensorBoard shows as curves.
///
/// The file is a TFRecord (https://www.tensorflow.org/tutorials/load_data/tfrecord): for each event its length in 8
/// bytes, the checksum of the length, the event, its checksum. Integers are little-endian. Checksums are CRC32C,
/// rotated and shifted ("masked") as in tsl/lib/hash/crc32c.h. An event is a protocol buffer of
/// tensorboard/compat/proto/event.proto:
///
///     Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5;
///             SessionLog session_log = 7; }
///     Summary { repeated Value value = 1; }   Value { string tag = 1; float simple_value = 2; }
///     SessionLog { SessionStatus status = 1; }   where START is 1
final class EventFile {
  private let descriptor: Int32
  private let name: String

  /// Makes `folder`/events.out.tfevents.<seconds>.<host>.<process>. With `step` above 0 the file continues earlier
  /// files of the folder: TensorBoard drops their steps after `step`.
  init(in folder: ByteString, after step: Int) throws(CLIPError) {
    var host = [CChar](repeating: 0, count: 65)
    gethostname(&host, host.count - 1)
    let isPlain = { (byte: CChar) in isalnum(Int32(byte)) != 0 || byte == 0x2d || byte == 0x2e }
    let hostName = String(decoding: host.prefix { $0 != 0 && isPlain($0) }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let path = folder.appending(Array("events.out.tfevents.\(Int(EventFile.now())).\(hostName).\(getpid())".utf8))
    name = path.shown
    descriptor = path.withCString { open($0, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666) }
    guard descriptor >= 0 else { throw .system("cannot write \(name)") }
    var message = ProtocolBuffer()
    message.add(1, EventFile.now())
    message.add(3, "brain.Event:2")
    try write(message)
    guard step > 0 else { return }
    var session = ProtocolBuffer()
    session.add(1, 1)
    message = ProtocolBuffer()
    message.add(1, EventFile.now())
    message.add(2, step + 1)
    message.add(7, session)
    try write(message)
  }

  deinit { close(descriptor) }

  func add(step: Int, _ scalars: [(tag: String, value: Double)]) throws(CLIPError) {
    var summary = ProtocolBuffer()
    for (tag, number) in scalars {
      var value = ProtocolBuffer()
      value.add(1, tag)
      value.add(2, Float(number))
      summary.add(1, value)
    }
    var message = ProtocolBuffer()
    message.add(1, EventFile.now())
    message.add(2, step)
    message.add(5, summary)
    try write(message)
  }

  /// Seconds since 1970.
  private static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private func write(_ message: ProtocolBuffer) throws(CLIPError) {
    let length = littleEndian(UInt64(message.bytes.count))
    let record =
      length + littleEndian(maskedChecksum(length)) + message.bytes + littleEndian(maskedChecksum(message.bytes))
    let code = record.withUnsafeBytes { writeAll(descriptor, $0) }
    guard code == 0 else { throw .system("cannot write \(name)", code) }
  }
}

/// A message in the wire format (https://protobuf.dev/programming-guides/encoding).
private struct ProtocolBuffer {
  private(set) var bytes: [UInt8] = []

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private mutating func key(_ field: Int, _ wireType: UInt64) { varint(UInt64(field) << 3 | wireType) }

  mutating func add(_ field: Int, _ value: Int) {
    key(field, 0)
    varint(UInt64(bitPattern: Int64(value)))
  }

  mutating func add(_ field: Int, _ value: Double) {
    key(field, 1)
    bytes += littleEndian(value.bitPattern)
  }

  mutating func add(_ field: Int, _ value: Float) {
    key(field, 5)
    bytes += littleEndian(value.bitPattern)
  }

  mutating func add(_ field: Int, _ text: String) { add(field, Array(text.utf8)) }

  mutating func add(_ field: Int, _ message: ProtocolBuffer) { add(field, message.bytes) }

  private mutating func add(_ field: Int, _ content: [UInt8]) {
    key(field, 2)
    varint(UInt64(content.count))
    bytes += content
  }
}

private func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// Remainders of each byte for CRC32C: Castagnoli's polynomial 0x1EDC6F41, reflected (RFC 3720, B.4).
private let remainders: [UInt32] = (0..<256).map { byte in
  (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
}

private func maskedChecksum(_ bytes: [UInt8]) -> UInt32 {
  let sum = ~bytes.reduce(~UInt32(0)) { remainders[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 }
  return (sum >> 15 | sum << 17) &+ 0xA282_EAD8
}
