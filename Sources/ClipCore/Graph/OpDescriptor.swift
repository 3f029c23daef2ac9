import CClip

/// An op as clip_builder.op names it: what it takes, and `make`, which adds its nodes to the graph. `Builder.op` checks
/// a call against the descriptor before it calls `make`.
struct OpDescriptor: @unchecked Sendable {
  let name: Name
  /// The number of inputs.
  let inputs: ClosedRange<Int>
  /// Whether a call has a name, for parameters.
  let naming: Naming
  let settings: [Setting]
  let make: (OpCall) throws(ClipError) -> Int

  enum Naming { case none, optional, required }

  struct Setting {
    let name: Name
    let range: ClosedRange<Double>
    var isInteger = true
    /// nil: required.
    var fallback: Double?
    /// Whether the setting may be given several times.
    var isList = false

    static func integer(_ name: Name, _ range: ClosedRange<Int>, default fallback: Int? = nil) -> Setting {
      Setting(
        name: name, range: Double(range.lowerBound)...Double(range.upperBound), fallback: fallback.map(Double.init))
    }

    static func flag(_ name: Name, default fallback: Bool) -> Setting {
      integer(name, 0...1, default: fallback ? 1 : 0)
    }

    static func real(_ name: Name, _ range: ClosedRange<Double>, default fallback: Double? = nil) -> Setting {
      Setting(name: name, range: range, isInteger: false, fallback: fallback)
    }

    static func integers(_ name: Name, _ range: ClosedRange<Int>) -> Setting {
      Setting(name: name, range: Double(range.lowerBound)...Double(range.upperBound), isList: true)
    }

    static func reals(_ name: Name) -> Setting {
      let limit = Double.greatestFiniteMagnitude
      return Setting(name: name, range: -limit...limit, isInteger: false, isList: true)
    }

    /// For messages: "an integer from 1 to 8".
    fileprivate var text: String {
      if range.upperBound == .greatestFiniteMagnitude { return "a finite number" }
      guard isInteger else { return "a number from \(range.lowerBound) to \(range.upperBound)" }
      return "an integer from \(Int(range.lowerBound)) to \(Int(range.upperBound))"
    }
  }

  init(
    _ name: Name, inputs: ClosedRange<Int>, named naming: Naming = .none, settings: [Setting] = [],
    make: @escaping (OpCall) throws(ClipError) -> Int
  ) {
    self.name = name
    self.inputs = inputs
    self.naming = naming
    self.settings = settings
    self.make = make
  }

  init(
    _ name: Name, inputs count: Int, named naming: Naming = .none, settings: [Setting] = [],
    make: @escaping (OpCall) throws(ClipError) -> Int
  ) {
    self.init(name, inputs: count...count, named: naming, settings: settings, make: make)
  }

  /// Checks the number of inputs, the name and the settings of a call. Returns the settings with defaults.
  func check(inputs count: Int, isNamed: Bool, _ given: [OpCall.Setting]) throws(ClipError) -> [OpCall.Setting] {
    guard inputs.contains(count) else {
      let wanted = inputs.count == 1 ? "\(inputs.lowerBound)" : "\(inputs.lowerBound) to \(inputs.upperBound)"
      throw ClipError(CLIP_PLUGIN, "expected \(wanted) inputs, found \(count)")
    }
    guard naming == .optional || isNamed == (naming == .required) else {
      throw ClipError(
        CLIP_PLUGIN, isNamed ? "expected no name, for it has no parameters" : "expected a name, found none")
    }
    var result: [OpCall.Setting] = []
    for (name, value) in given {
      guard let setting = settings.first(where: { $0.name == name }) else {
        throw ClipError(CLIP_PLUGIN, "expected " + settingNames + ", found the setting " + name.string)
      }
      guard setting.range.contains(value), !setting.isInteger || value == value.rounded(.towardZero) else {
        throw ClipError(CLIP_INVALID_ARGUMENT, name.string + ": expected " + setting.text + ", found " + text(value))
      }
      guard setting.isList || !result.contains(where: { $0.name == name }) else {
        throw ClipError(CLIP_PLUGIN, "expected the setting " + name.string + " once, found it twice")
      }
      result.append((name, value))
    }
    for setting in settings where !result.contains(where: { $0.name == setting.name }) {
      if let fallback = setting.fallback {
        result.append((setting.name, fallback))
      } else {
        throw ClipError(CLIP_PLUGIN, "expected the setting " + setting.name.string + ", found none")
      }
    }
    return result
  }

  private var settingNames: String {
    var names = ""
    for setting in settings { names += (names.isEmpty ? "" : ", ") + setting.name.string }
    return names.isEmpty ? "no settings" : "the settings " + names
  }

  private func text(_ value: Double) -> String {
    abs(value) < 1e15 && value == value.rounded(.towardZero) ? "\(Int(value))" : "\(value)"
  }
}

/// One call of an op by an encoder, checked against its descriptor.
struct OpCall {
  typealias Setting = (name: Name, value: Double)

  let builder: Builder
  /// The name with its scopes; empty if there is none.
  let name: Name
  let inputs: [Int]
  let shapes: [Shape]
  /// All settings of the descriptor, with defaults.
  let settings: [Setting]

  func real(_ name: Name) throws(ClipError) -> Double {
    for setting in settings where setting.name == name { return setting.value }
    throw ClipError(CLIP_PLUGIN, "the op has no setting " + name.string)
  }

  func integer(_ name: Name) throws(ClipError) -> Int { Int(try real(name)) }
  func flag(_ name: Name) throws(ClipError) -> Bool { try real(name) != 0 }
  func reals(_ name: Name) -> [Double] { settings.filter { $0.name == name }.map { $0.value } }
  func integers(_ name: Name) -> [Int] { reals(name).map { Int($0) } }

  /// Adds the node of this call.
  func add(_ node: Operation) throws(ClipError) -> Int { try builder.add(node) }

  /// The error for inputs of other shapes than the op takes.
  func expected(_ what: String) -> ClipError {
    var found = ""
    for shape in shapes { found += (found.isEmpty ? "" : ", ") + shape.text }
    return ClipError(CLIP_INVALID_ARGUMENT, "expected " + what + ", found " + found)
  }
}

/// Calls of other ops, for ops composed of them.
extension OpCall {
  func op(
    _ op: Name, named name: Name = "", _ inputs: [Int], _ settings: [(name: Name, value: Int)] = [],
    reals: [Setting] = []
  ) throws(ClipError) -> Int {
    try builder.op(op, name, inputs, settings.map { ($0.name, Double($0.value)) } + reals)
  }
}
