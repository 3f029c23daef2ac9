import CClip
import CSystem
import ClipBase
import ClipFFI

/// A foreign function as an op that maps each element of its input.
enum ForeignMap {
  /// `id` and `description` must be valid as long as the plugin. `clip_op.user` is the ForeignFunction.
  static func op(
    _ function: ForeignFunction, id: UnsafePointer<CChar>, description: UnsafePointer<CChar>,
    settingNames: UnsafePointer<UnsafePointer<CChar>?>?
  ) -> clip_op {
    clip_op(
      struct_size: UInt32(MemoryLayout<clip_op>.size),
      flags: UInt32(CLIP_OP_ROW_WISE) | (function.outcome == .value ? UInt32(CLIP_OP_IN_PLACE) : 0), id: id,
      description: description, input_count: 1, setting_count: UInt32(function.settings.count),
      setting_names: settingNames, user: Unmanaged.passUnretained(function).toOpaque(),
      shape: { use, output, message in
        guard let use, let output, let inputs = use.pointee.inputs, let function = called(use) else {
          return CLIP_INVALID_ARGUMENT
        }
        for (index, setting) in function.settings.enumerated() {
          guard let settings = use.pointee.settings, settings[index] >= setting.low, settings[index] <= setting.high,
            setting.type != CLIP_SETTING_INTEGER || settings[index].rounded() == settings[index]
          else {
            message?.pointee = function.settingErrors[index]
            return CLIP_INVALID_ARGUMENT
          }
        }
        output.pointee = inputs[0]
        return CLIP_OK
      }, parameters: nil, scratch: nil,
      forward: { call in
        guard let call, let use = call.pointee.use, let function = called(use), let inputs = call.pointee.inputs else {
          return
        }
        run(function, inputs[0].data, call.pointee.output.data, inputs[0].rows * inputs[0].width, use.pointee.settings)
      }, backward: nil)
  }
}

private func run(
  _ function: ForeignFunction, _ input: UnsafeMutablePointer<Float>, _ output: UnsafeMutablePointer<Float>,
  _ count: Int,
  _ settings: UnsafePointer<Double>?
) {
  withUnsafeTemporaryAllocation(of: UInt64.self, capacity: ForeignSignature.maxArguments) { slots in
    guard let base = slots.baseAddress else { return }
    var x: (slot: Int, isDouble: Bool)?
    for (index, argument) in function.arguments.enumerated() {
      switch argument.binding {
      case .x:
        x = (index, argument.type == .double)
        base[index] = 0
      case .input: base[index] = UInt64(UInt(bitPattern: input))
      case .output: base[index] = UInt64(UInt(bitPattern: output))
      case .count: base[index] = argument.type.bits(count) ?? 0
      case .constant(let bits): base[index] = bits
      case .setting(let setting, _): base[index] = settings.flatMap { argument.type.bits($0[setting]) } ?? 0
      default: base[index] = 0
      }
    }
    guard let x else {
      _ = function.signature.call(function.pointer, base)
      return
    }
    for index in 0..<count {
      base[x.slot] = x.isDouble ? Double(input[index]).bitPattern : UInt64(input[index].bitPattern)
      let result = function.signature.call(function.pointer, base)
      output[index] = Float(function.signature.result.number(result))
    }
  }
}

private func called(_ use: UnsafePointer<clip_op_use>) -> ForeignFunction? {
  use.pointee.user.map { Unmanaged<ForeignFunction>.fromOpaque($0).takeUnretainedValue() }
}
