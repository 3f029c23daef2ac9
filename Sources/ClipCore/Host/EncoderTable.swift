import CClip

/// The fields of an encoder's table after `build`, as far as its struct_size covers them.
struct EncoderTable {
  let example: UnsafePointer<CChar>?
  let strengths: UnsafePointer<CChar>?

  private static let pointerSize = MemoryLayout<UnsafeRawPointer>.size
  /// The size up to and including `build`, which every encoder has.
  static let requiredSize = MemoryLayout<clip_encoder>.size - 2 * pointerSize

  init(_ table: UnsafeRawPointer) {
    let size = Int(table.load(as: UInt32.self))
    func text(at offset: Int) -> UnsafePointer<CChar>? {
      size < offset + EncoderTable.pointerSize
        ? nil : table.load(fromByteOffset: offset, as: UnsafePointer<CChar>?.self)
    }
    example = text(at: EncoderTable.requiredSize)
    strengths = text(at: EncoderTable.requiredSize + EncoderTable.pointerSize)
  }
}
