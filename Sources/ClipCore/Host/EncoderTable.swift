import CClip

/// What an encoder's table has behind `build`, as far as its struct_size goes.
struct EncoderTable {
  let example: UnsafePointer<CChar>?
  let strengths: UnsafePointer<CChar>?

  private static let pointerSize = MemoryLayout<UnsafeRawPointer>.size
  /// Up to `build`: every encoder has that much.
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
