import CClip
import ClipBase
import ClipFFI

/// A C function described by a manifest: its arguments, and the meaning of its result.
final class ForeignFunction {
  enum Kind { case imageAugmentation, map }

  /// A constant, or the value of a setting.
  enum Value {
    case number(Double)
    case setting(Int)
  }

  /// The width or height of an image augmentation's result.
  enum Side {
    case width, height
    case value(Value)
  }

  enum Binding {
    /// For images.
    case pixels, width, height, stride, outPixels, outWidth, outHeight, outStride
    /// For maps: one number, or the arrays and their length.
    case x, input, output, count
    case random(low: Value, high: Value)
    case setting(Int, element: ForeignType?)
    case constant(UInt64)

    /// The names of bindings that need no further keys.
    static func named(_ kind: Kind) -> [(word: Name, binding: Binding)] {
      switch kind {
      case .imageAugmentation:
        [
          ("pixels", .pixels), ("width", .width), ("height", .height), ("stride", .stride), ("out_pixels", .outPixels),
          ("out_width", .outWidth), ("out_height", .outHeight), ("out_stride", .outStride),
        ]
      case .map: [("x", .x), ("input", .input), ("output", .output), ("count", .count)]
      }
    }

    var isPointer: Bool {
      switch self {
      case .pixels, .outPixels, .input, .output: true
      default: false
      }
    }
  }

  enum Outcome {
    /// No result, or an ignored one.
    case ignored
    /// 0 on success.
    case status
    /// 0 on failure.
    case truth
    /// NULL on failure.
    case pointer
    /// The result of a map.
    case value
  }

  struct Argument {
    let type: ForeignType
    let binding: Binding
  }

  let kind: Kind
  let symbol: Name
  let pointer: UnsafeMutableRawPointer
  let signature: ForeignSignature
  let arguments: [Argument]
  let outcome: Outcome
  let settings: [clip_setting_info]
  /// What is expected of each setting, for messages of `clip_op`, whose settings are plain numbers.
  let settingErrors: [UnsafePointer<CChar>]
  /// For images: the pixel format that the function takes.
  let format: ImageView.Format
  let outWidth: Side
  let outHeight: Side

  init(
    kind: Kind, symbol: Name, pointer: UnsafeMutableRawPointer, signature: ForeignSignature, arguments: [Argument],
    outcome: Outcome, settings: [clip_setting_info], settingErrors: [UnsafePointer<CChar>],
    format: ImageView.Format,
    outWidth: Side, outHeight: Side
  ) {
    self.kind = kind
    self.symbol = symbol
    self.pointer = pointer
    self.signature = signature
    self.arguments = arguments
    self.outcome = outcome
    self.settings = settings
    self.settingErrors = settingErrors
    self.format = format
    self.outWidth = outWidth
    self.outHeight = outHeight
  }

  func has(_ matches: (Binding) -> Bool) -> Bool { arguments.contains { matches($0.binding) } }

  /// Without out_pixels, the function changes a copy of the image.
  var isInPlace: Bool { !has { if case .outPixels = $0 { true } else { false } } }

  /// The result, for a message, if it reports a failure; else nil.
  func failure(_ result: UInt64) -> String? {
    let number = plain(signature.result.number(result))
    switch outcome {
    case .status: return signature.result.number(result) == 0 ? nil : "expected 0, found \(number)"
    case .truth: return signature.result.number(result) == 0 ? "expected another number than 0, found 0" : nil
    case .pointer: return result == 0 ? "expected a pointer, found NULL" : nil
    case .ignored, .value: return nil
    }
  }
}
