import CClip
import ClipPluginKit

/// A pickle of tensors. A machine interprets the opcodes and the globals that torch.save and torch.jit.save write,
/// makes dictionaries, lists and tensors, and refuses everything else by name. No code is run. (Python's pickletools.py
/// describes the opcodes.)
///
/// Values refer to each other by index, so cycles and depth cost nothing. An opcode makes at most one value, so memory
/// is at most 100 times the size of the pickle.
struct Pickle {
  typealias Value = Int32

  enum Kind {
    case mark
    /// A value that no tensor is made of: None, a float, a device.
    case other
    case integer(Int)
    case text(UnsafeBufferPointer<UInt8>)
    /// A list, tuple or set. Parts: its elements.
    case list
    /// Parts: keys and values alternately.
    case dictionary
    /// An instance of a TorchScript class. Part: its state.
    case object
    case global(Global)
    /// Elements in the archive under a key. `type` is nil for untyped bytes.
    case storage(type: StorageType?, key: UnsafeBufferPointer<UInt8>, count: Int)
    /// Parts: a storage, the shape, the strides.
    case tensor(type: StorageType, offset: Int)
  }

  private(set) var kinds: [Kind] = []
  private(set) var parts: [[Value]] = []
  private let bytes: UnsafeBufferPointer<UInt8>
  private(set) var at: Int
  private var stack: [Value] = []
  private var memo: [Value] = []

  /// More than any model needs, at about 200 bytes for each tensor.
  static var maximumBytes: Int { 16 << 20 }

  /// Runs the pickle from `start` to its end and returns its value; `at` is then after it.
  static func run(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int = 0) throws(PluginFailure) -> (Pickle, Value) {
    var pickle = Pickle(bytes, start)
    let value = try pickle.run()
    return (pickle, value)
  }

  private init(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) {
    self.bytes = bytes
    at = start
  }

  private mutating func run() throws(PluginFailure) -> Value {
    let start = at
    while true {
      let place = at
      guard place - start < Pickle.maximumBytes else {
        throw PluginFailure(CLIP_LIMIT, "pickle: expected at most \(Pickle.maximumBytes) bytes")
      }
      let opcode = try byte()
      switch opcode {
      case UInt8(ascii: "."):
        return try pop()
      case 0x80: try skip(1)  // PROTO
      case 0x95: try skip(8)  // FRAME
      case UInt8(ascii: "("): push(.mark)
      case UInt8(ascii: "N"), 0x88, 0x89: push(opcode == 0x88 ? .integer(1) : opcode == 0x89 ? .integer(0) : .other)
      case UInt8(ascii: "J"): push(.integer(Int(Int32(truncatingIfNeeded: try size(4)))))
      case UInt8(ascii: "K"): push(.integer(try size(1)))
      case UInt8(ascii: "M"): push(.integer(try size(2)))
      case 0x8a: try pushLong()
      case UInt8(ascii: "G"):
        try skip(8)
        push(.other)
      case UInt8(ascii: "X"): push(.text(try take(size(4))))
      case 0x8c, UInt8(ascii: "U"), UInt8(ascii: "C"): push(.text(try take(size(1))))
      case UInt8(ascii: "T"), UInt8(ascii: "B"): push(.text(try take(size(4))))
      case 0x8d, 0x8e: push(.text(try take(size(8))))
      case UInt8(ascii: "]"), UInt8(ascii: ")"), 0x8f: push(.list)
      case UInt8(ascii: "}"): push(.dictionary)
      case UInt8(ascii: "t"), UInt8(ascii: "l"): push(.list, try popToMark())
      case UInt8(ascii: "d"): push(.dictionary, try popToMark())
      case 0x85, 0x86, 0x87: push(.list, try pop(Int(opcode) - 0x84))
      case UInt8(ascii: "a"): try append(pop(1))
      case UInt8(ascii: "e"), 0x90: try append(popToMark())
      case UInt8(ascii: "s"): try append(pop(2), pairs: true)
      case UInt8(ascii: "u"): try append(popToMark(), pairs: true)
      case UInt8(ascii: "q"): try remember(at: size(1))
      case UInt8(ascii: "r"): try remember(at: size(4))
      case 0x94: try remember(at: memo.count)
      case UInt8(ascii: "h"): try recall(size(1))
      case UInt8(ascii: "j"): try recall(size(4))
      case UInt8(ascii: "0"): _ = try pop()
      case UInt8(ascii: "1"): _ = try popToMark()
      case UInt8(ascii: "c"):
        let module = try line()
        push(try Pickle.global(module, line()))
      case 0x93:
        let (name, module) = (try popText(), try popText())
        push(try Pickle.global(module, name))
      case UInt8(ascii: "Q"): try pushStorage(pop())
      case UInt8(ascii: "R"):
        let arguments = try pop()
        try call(pop(), arguments)
      case 0x81:
        let arguments = try pop()
        try make(pop(), arguments)
      case UInt8(ascii: "b"):
        let state = try pop()
        try setState(pop(), state)
      default:
        let digits = "0123456789abcdef".utf8.map { $0 }
        let hex = [digits[Int(opcode >> 4)], digits[Int(opcode & 15)]]
        throw PluginFailure(
          CLIP_FORMAT,
          "pickle: opcode 0x" + String(decoding: hex, as: UTF8.self) + " at \(place) is none that weights need")
      }
    }
  }

  // MARK: Values

  func kind(_ value: Value) -> Kind { kinds[Int(value)] }
  func parts(_ value: Value) -> [Value] { parts[Int(value)] }

  private mutating func push(_ kind: Kind, _ parts: [Value] = []) {
    stack.append(Value(truncatingIfNeeded: kinds.count))
    kinds.append(kind)
    self.parts.append(parts)
  }

  private mutating func pop() throws(PluginFailure) -> Value {
    guard let value = stack.popLast() else { throw PluginFailure(CLIP_FORMAT, "pickle: the stack is empty at \(at)") }
    return value
  }

  private mutating func pop(_ count: Int) throws(PluginFailure) -> [Value] {
    guard stack.count >= count else { throw PluginFailure(CLIP_FORMAT, "pickle: the stack is empty at \(at)") }
    let values = Array(stack.suffix(count))
    stack.removeLast(count)
    return values
  }

  private mutating func popToMark() throws(PluginFailure) -> [Value] {
    var mark = stack.count - 1
    while mark >= 0 {
      if case .mark = kind(stack[mark]) { break }
      mark -= 1
    }
    guard mark >= 0 else {
      throw PluginFailure(CLIP_FORMAT, "pickle: expected a mark on the stack at \(at), found none")
    }
    let values = Array(stack[(mark + 1)...])
    stack.removeLast(stack.count - mark)
    return values
  }

  private mutating func popText() throws(PluginFailure) -> UnsafeBufferPointer<UInt8> {
    guard case .text(let text) = kind(try pop()) else {
      throw PluginFailure(CLIP_FORMAT, "pickle: expected the name of a global at \(at)")
    }
    return text
  }

  /// Adds to the list or dictionary on top of the stack.
  private mutating func append(_ values: [Value], pairs: Bool = false) throws(PluginFailure) {
    guard let target = stack.last else { throw PluginFailure(CLIP_FORMAT, "pickle: the stack is empty at \(at)") }
    switch kind(target) {
    case .list where !pairs: parts[Int(target)] += values
    case .dictionary where pairs && values.count % 2 == 0: parts[Int(target)] += values
    default: throw PluginFailure(CLIP_FORMAT, "pickle: expected a list or dictionary to add to at \(at)")
    }
  }

  private mutating func remember(at index: Int) throws(PluginFailure) {
    guard let value = stack.last, index <= min(bytes.count, Pickle.maximumBytes) else {
      throw PluginFailure(CLIP_FORMAT, "pickle: memo \(index) at \(at) is out of range")
    }
    while memo.count <= index { memo.append(-1) }
    memo[index] = value
  }

  private mutating func recall(_ index: Int) throws(PluginFailure) {
    guard index < memo.count, memo[index] >= 0 else {
      throw PluginFailure(CLIP_FORMAT, "pickle: memo \(index) at \(at) was never set")
    }
    stack.append(memo[index])
  }

  // MARK: Bytes

  private mutating func byte() throws(PluginFailure) -> UInt8 { try take(1)[0] }
  private mutating func skip(_ count: Int) throws(PluginFailure) { _ = try take(count) }

  private mutating func take(_ count: Int) throws(PluginFailure) -> UnsafeBufferPointer<UInt8> {
    guard count <= bytes.count - at else { throw PluginFailure(CLIP_FORMAT, "pickle: cut short at \(at)") }
    defer { at += count }
    return UnsafeBufferPointer(rebasing: bytes[at..<(at + count)])
  }

  /// An unsigned integer of `count` bytes.
  private mutating func size(_ count: Int) throws(PluginFailure) -> Int {
    let field = try take(count)
    var value: UInt64 = 0
    for index in (0..<count).reversed() { value = value << 8 | UInt64(field[index]) }
    guard value <= UInt64(Int.max) else { throw PluginFailure(CLIP_FORMAT, "pickle: size \(value) at \(at)") }
    return Int(value)
  }

  /// An integer of any size; if it does not fit 64 bits, a value that is ignored.
  private mutating func pushLong() throws(PluginFailure) {
    let field = try take(size(1))
    guard field.count <= 8 else { return push(.other) }
    var value: UInt64 = 0
    for index in 0..<field.count { value |= UInt64(field[index]) << UInt64(8 * index) }
    let shift = UInt64(64 - 8 * field.count)
    push(.integer(field.isEmpty ? 0 : Int(Int64(bitPattern: value << shift) >> Int64(shift))))
  }

  private mutating func line() throws(PluginFailure) -> UnsafeBufferPointer<UInt8> {
    let start = at
    while try byte() != UInt8(ascii: "\n") {
      guard at - start <= 512 else { throw PluginFailure(CLIP_FORMAT, "pickle: expected a name at \(start)") }
    }
    return UnsafeBufferPointer(rebasing: bytes[start..<(at - 1)])
  }

  // MARK: Calls

  /// ("storage", type, key, device, count), by which torch.save and torch.jit.save name elements in the archive.
  private mutating func pushStorage(_ id: Value) throws(PluginFailure) {
    let fields = parts(id)
    guard case .list = kind(id), fields.count >= 5, case .text(let word) = kind(fields[0]), word.equals("storage"),
      case .global(.storage(let type)) = kind(fields[1]), case .text(let key) = kind(fields[2]),
      case .integer(let count) = kind(fields[4]), count >= 0
    else { throw PluginFailure(CLIP_FORMAT, "pickle: expected the place of a tensor's elements at \(at)") }
    if fields.count > 5 {
      guard case .other = kind(fields[5]) else {
        throw PluginFailure(CLIP_UNSUPPORTED, "pickle: views of storages, which PyTorch before 0.4 wrote, are not read")
      }
    }
    push(.storage(type: type, key: key, count: count))
  }

  private mutating func call(_ function: Value, _ arguments: Value) throws(PluginFailure) {
    guard case .global(let global) = kind(function), case .list = kind(arguments) else {
      throw PluginFailure(CLIP_FORMAT, "pickle: expected a call of what builds tensors at \(at)")
    }
    let given = parts(arguments)
    switch global {
    case .orderedDictionary where given.isEmpty: push(.dictionary)
    case .orderedDictionary where given.count == 1:
      var pairs: [Value] = []
      for pair in parts(given[0]) {
        guard parts(pair).count == 2 else { throw PluginFailure(CLIP_FORMAT, "pickle: expected pairs at \(at)") }
        pairs += parts(pair)
      }
      push(.dictionary, pairs)
    case .tensor where given.count >= 4: try pushTensor(given, type: nil)
    case .typedTensor where given.count >= 7:
      guard case .global(.type(let type)) = kind(given[6]) else {
        throw PluginFailure(CLIP_FORMAT, "pickle: expected a tensor's dtype at \(at)")
      }
      try pushTensor(given, type: type)
    case .same where !given.isEmpty: stack.append(given[0])
    case .ignored: push(.other)
    default: throw PluginFailure(CLIP_FORMAT, "pickle: a call at \(at) has other arguments than PyTorch's")
    }
  }

  private mutating func pushTensor(_ given: [Value], type: StorageType?) throws(PluginFailure) {
    guard case .storage(let stored, _, _) = kind(given[0]), let type = type ?? stored,
      case .integer(let offset) = kind(given[1]), offset >= 0, case .list = kind(given[2]), case .list = kind(given[3]),
      parts(given[2]).count == parts(given[3]).count
    else {
      throw PluginFailure(CLIP_FORMAT, "pickle: expected a tensor's elements, offset, shape and strides at \(at)")
    }
    push(.tensor(type: type, offset: offset), [given[0], given[2], given[3]])
  }

  /// Makes an object without state.
  private mutating func make(_ type: Value, _ arguments: Value) throws(PluginFailure) {
    guard case .global(let global) = kind(type), parts(arguments).isEmpty else {
      throw PluginFailure(CLIP_FORMAT, "pickle: expected a class at \(at)")
    }
    switch global {
    case .orderedDictionary: push(.dictionary)
    case .scriptClass: push(.object)
    default: throw PluginFailure(CLIP_FORMAT, "pickle: an object at \(at) is of no class that weights need")
    }
  }

  private mutating func setState(_ target: Value, _ state: Value) throws(PluginFailure) {
    switch kind(target) {
    case .object: parts[Int(target)] = [state]
    case .dictionary: break  // the versions of its modules
    default: throw PluginFailure(CLIP_FORMAT, "pickle: expected an object to set the state of at \(at)")
    }
    stack.append(target)
  }
}
