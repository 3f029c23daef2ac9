import CClip
import ClipPluginKit

/// The element types that PyTorch stores.
struct StorageType {
  /// The type's name in safetensors.
  let name: StaticString
  let bytes: Int
}

extension Pickle {
  /// The meaning of an allowed global.
  enum Global {
    case orderedDictionary
    /// Makes a tensor of (storage, offset, shape, strides, …).
    case tensor
    /// The same, with the element type as the seventh argument.
    case typedTensor
    /// Returns its first argument.
    case same
    /// A value that is ignored.
    case ignored
    case storage(StorageType?)
    case type(StorageType)
    case scriptClass
  }

  /// All allowed globals; any other is refused.
  static func global(
    _ module: UnsafeBufferPointer<UInt8>, _ name: UnsafeBufferPointer<UInt8>
  ) throws(PluginFailure) -> Kind {
    let allowed: [(module: StaticString, name: StaticString, global: Global)] = [
      ("collections", "OrderedDict", .orderedDictionary),
      ("torch._utils", "_rebuild_tensor", .tensor), ("torch._utils", "_rebuild_tensor_v2", .tensor),
      ("torch._utils", "_rebuild_tensor_v3", .typedTensor), ("torch._utils", "_rebuild_parameter", .same),
      ("torch._utils", "_rebuild_parameter_with_state", .same), ("torch", "Size", .same),
      ("torch._tensor", "_rebuild_from_type_v2", .ignored), ("torch", "device", .ignored),
      ("torch.jit._pickle", "build_intlist", .same), ("torch.jit._pickle", "build_doublelist", .same),
      ("torch.jit._pickle", "build_boollist", .same), ("torch.jit._pickle", "build_tensorlist", .same),
      ("torch.jit._pickle", "restore_type_tag", .same), ("torch.storage", "UntypedStorage", .storage(nil)),
    ]
    for known in allowed where module.equals(known.module) && name.equals(known.name) { return .global(known.global) }
    if module.equals("torch") {
      let types: [(storage: StaticString, type: StaticString, element: StorageType)] = [
        ("FloatStorage", "float32", StorageType(name: "F32", bytes: 4)),
        ("HalfStorage", "float16", StorageType(name: "F16", bytes: 2)),
        ("BFloat16Storage", "bfloat16", StorageType(name: "BF16", bytes: 2)),
        ("DoubleStorage", "float64", StorageType(name: "F64", bytes: 8)),
        ("LongStorage", "int64", StorageType(name: "I64", bytes: 8)),
        ("IntStorage", "int32", StorageType(name: "I32", bytes: 4)),
        ("ShortStorage", "int16", StorageType(name: "I16", bytes: 2)),
        ("CharStorage", "int8", StorageType(name: "I8", bytes: 1)),
        ("ByteStorage", "uint8", StorageType(name: "U8", bytes: 1)),
        ("BoolStorage", "bool", StorageType(name: "BOOL", bytes: 1)),
        ("", "uint16", StorageType(name: "U16", bytes: 2)), ("", "uint32", StorageType(name: "U32", bytes: 4)),
        ("", "uint64", StorageType(name: "U64", bytes: 8)),
        ("", "float8_e4m3fn", StorageType(name: "F8_E4M3", bytes: 1)),
        ("", "float8_e5m2", StorageType(name: "F8_E5M2", bytes: 1)),
        ("", "float8_e4m3fnuz", StorageType(name: "F8_E4M3FNUZ", bytes: 1)),
        ("", "float8_e5m2fnuz", StorageType(name: "F8_E5M2FNUZ", bytes: 1)),
      ]
      for known in types {
        if name.equals(known.type) { return .global(.type(known.element)) }
        if !name.isEmpty, name.equals(known.storage) { return .global(.storage(known.element)) }
      }
    }
    // Classes of a TorchScript archive are defined in its code, which is not read.
    let script: StaticString = "__torch__"
    if module.count == script.utf8CodeUnitCount
      || module.count > script.utf8CodeUnitCount
        && module[script.utf8CodeUnitCount] == UInt8(ascii: "."),
      UnsafeBufferPointer(rebasing: module.prefix(script.utf8CodeUnitCount)).equals(script)
    {
      return .global(.scriptClass)
    }
    throw PluginFailure(
      CLIP_FORMAT,
      "pickle: it asks for \(text(module)).\(text(name)), which is not among what weights need; nothing of it was run. Save "
        + "the state dict alone: torch.save(model.state_dict(), path)")
  }
}
