/// String operations for messages, never inlined. The standard library's own are inlined at each use, which made a
/// fifth of the library's code and compile time.
extension String {
  @inline(never) package static func + (left: String, right: String) -> String {
    var joined = left
    joined.append(right)
    return joined
  }

  @inline(never) package static func += (left: inout String, right: String) { left.append(right) }
}

extension DefaultStringInterpolation {
  @inline(never) package mutating func appendLiteral(_ literal: String) { literal.write(to: &self) }
  @inline(never) package mutating func appendInterpolation(_ value: String) { value.write(to: &self) }
  @inline(never) package mutating func appendInterpolation(_ value: StaticString) { value.description.write(to: &self) }
  @inline(never) package mutating func appendInterpolation(_ value: Int) { value.description.write(to: &self) }
  @inline(never) package mutating func appendInterpolation(_ value: UInt64) { value.description.write(to: &self) }
  package mutating func appendInterpolation(_ value: Int32) { appendInterpolation(Int(value)) }
  package mutating func appendInterpolation(_ value: Int64) { appendInterpolation(Int(value)) }
  package mutating func appendInterpolation(_ value: UInt32) { appendInterpolation(Int(value)) }
}
