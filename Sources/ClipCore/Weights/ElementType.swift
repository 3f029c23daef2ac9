/// The element types of the safetensors format.
enum ElementType {
  case float32, float16, bfloat16, float64
  case bool, uint8, int8, uint16, int16, uint32, int32, uint64, int64, complex64
  case float8e5m2, float8e4m3, float8e8m0, float8e4m3fnuz, float8e5m2fnuz, float6e2m3, float6e3m2, float4

  /// The type of a "dtype" in a file's header; nil if the format has no such name.
  init?(safetensors name: Name) {
    switch name {
    case "F32": self = .float32
    case "F16": self = .float16
    case "BF16": self = .bfloat16
    case "F64": self = .float64
    case "I64": self = .int64
    case "I32": self = .int32
    case "I16": self = .int16
    case "I8": self = .int8
    case "U8": self = .uint8
    case "BOOL": self = .bool
    case "U16": self = .uint16
    case "U32": self = .uint32
    case "U64": self = .uint64
    case "C64": self = .complex64
    case "F8_E5M2": self = .float8e5m2
    case "F8_E4M3": self = .float8e4m3
    case "F8_E8M0": self = .float8e8m0
    case "F8_E4M3FNUZ": self = .float8e4m3fnuz
    case "F8_E5M2FNUZ": self = .float8e5m2fnuz
    case "F6_E2M3": self = .float6e2m3
    case "F6_E3M2": self = .float6e3m2
    case "F4": self = .float4
    default: return nil
    }
  }

  /// The "dtype" in a file's header.
  var name: StaticString {
    switch self {
    case .float32: "F32"
    case .float16: "F16"
    case .bfloat16: "BF16"
    case .float64: "F64"
    case .int64: "I64"
    case .int32: "I32"
    case .int16: "I16"
    case .int8: "I8"
    case .uint8: "U8"
    case .bool: "BOOL"
    case .uint16: "U16"
    case .uint32: "U32"
    case .uint64: "U64"
    case .complex64: "C64"
    case .float8e5m2: "F8_E5M2"
    case .float8e4m3: "F8_E4M3"
    case .float8e8m0: "F8_E8M0"
    case .float8e4m3fnuz: "F8_E4M3FNUZ"
    case .float8e5m2fnuz: "F8_E5M2FNUZ"
    case .float6e2m3: "F6_E2M3"
    case .float6e3m2: "F6_E3M2"
    case .float4: "F4"
    }
  }

  /// The size of one element in bits.
  var bits: Int {
    switch self {
    case .float64, .int64, .uint64, .complex64: 64
    case .float32, .int32, .uint32: 32
    case .float16, .bfloat16, .int16, .uint16: 16
    case .bool, .uint8, .int8, .float8e5m2, .float8e4m3, .float8e8m0, .float8e4m3fnuz, .float8e5m2fnuz: 8
    case .float6e2m3, .float6e3m2: 6
    case .float4: 4
    }
  }
}
