import CClip
import CSystem

/// All parameters of a model in training in one float32 block, and the gradients of the trained ones in another. A
/// tensor that two ops share is stored once.
final class ParameterStore: TrainedValues {
  enum Kind {
    case learned
    /// Averaged, not learned: its place among the gradients holds its next value.
    case statistic
    /// Computed from learned ones, which get its gradient: see LowRank.
    case derived
  }

  struct Entry {
    let parameter: Parameter
    /// The name of its stored tensor.
    let tensor: Name
    let arrangement: ParameterRule.Arrangement
    /// The offset of its values in `values`.
    let offset: Int
    /// The offset of its gradient and optimiser state in blocks of trained parameters; nil if frozen.
    let trained: Int?
    let kind: Kind
    /// The factor of the learning rate.
    let rate: Double
    /// Whether weight decay applies: not to tensors of one side, such as biases, norms and scales.
    let decays: Bool

    var count: Int { parameter.count }
  }

  let entries: [Entry]
  let values: Memory
  let gradients: Memory
  /// The elements of `values`, and of blocks of trained parameters.
  let count: Int
  let trainedCount: Int
  /// Indexes of entries, by the names that encoders use.
  let indexes: [Name: Int]
  /// Indexed by entries. A gradient that no op has set holds the last step's values.
  private let sink: GradientSink

  /// Reads `parameters` from `source`. `settings` say what is learned. A matrix with low-rank adaptation is followed by
  /// its factors.
  convenience init(
    _ parameters: [(parameter: Parameter, isStatistic: Bool)], _ source: ParameterSource, _ settings: TrainerOptions
  ) throws(ClipError) {
    var list = Layout()
    for (parameter, isStatistic) in parameters where list.indexes[parameter.name] == nil {
      guard let found = source.find(parameter), found.shape == parameter.shape else {
        throw ClipError(CLIP_MISMATCH, parameter.name.string + ": expected shape " + describe(shape: parameter.shape))
      }
      if let same = list.entries.firstIndex(where: {
        $0.tensor == found.tensor.name && $0.arrangement == found.arrangement
      }) {
        list.indexes[parameter.name] = same
        continue
      }
      let rate = settings.rate(of: found.tensor.name)
      let isDerived = !isStatistic && parameter.shape.count == 2 && settings.isLowRank(found.tensor.name)
      list.add(
        parameter, found.tensor.name, found.arrangement, isStatistic ? .statistic : isDerived ? .derived : .learned,
        rate: isDerived ? 1 : settings.learns(found.tensor.name) ? rate : 0, decays: found.tensor.shape.count >= 2)
      if isDerived, let rank = settings.lowRank?.rank {
        for (ending, shape) in [("a", [rank, parameter.shape[1]]), ("b", [parameter.shape[0], rank])] {
          let name = parameter.name + Name(".low_rank_" + ending)
          list.add(
            Parameter(name: name, shape: shape), name, .whole, .learned, rate: rate == 0 ? 1 : rate, decays: true)
        }
      }
    }
    let values = try Memory(floats: list.count, for: "parameters")
    memset(values.base, 0, values.byteCount)
    for entry in list.entries {
      guard let found = source.find(entry.parameter), found.shape == entry.parameter.shape else { continue }
      try found.read(rows: 0..<(entry.parameter.shape.first ?? 1), into: values.floats + entry.offset)
    }
    self.init(list, values, try Memory(floats: list.trainedCount, for: "gradients"))
    beginGradients()
    finishGradients()
  }

  /// The layout of entries, one after another.
  private struct Layout {
    var entries: [Entry] = []
    var indexes: [Name: Int] = [:]
    var count = 0
    var trainedCount = 0

    mutating func add(
      _ parameter: Parameter, _ tensor: Name, _ arrangement: ParameterRule.Arrangement, _ kind: Kind, rate: Double,
      decays: Bool
    ) {
      let room = (parameter.count + 15) & ~15
      indexes[parameter.name] = entries.count
      entries.append(
        Entry(
          parameter: parameter, tensor: tensor, arrangement: arrangement, offset: count,
          trained: rate > 0 ? trainedCount : nil,
          kind: kind, rate: rate, decays: decays))
      count = count &+ room
      if rate > 0 { trainedCount = trainedCount &+ room }
    }
  }

  private init(_ layout: Layout, _ values: Memory, _ gradients: Memory) {
    entries = layout.entries
    indexes = layout.indexes
    count = layout.count
    trainedCount = layout.trainedCount
    sink = GradientSink(count: layout.entries.count)
    self.values = values
    self.gradients = gradients
  }

  /// The index of the parameter that encoders call `name`.
  func index(_ name: Name) -> Int? { indexes[name] }

  /// A parameter's values, in place.
  func view(_ parameter: Parameter) throws(ClipError) -> Memory {
    guard let index = indexes[parameter.name] else {
      throw ClipError(CLIP_MISMATCH, parameter.name.string + ": it is not among the parameters in training")
    }
    return Memory(part: entries[index].offset, count: parameter.count, of: values)
  }

  func value(_ index: Int) -> UnsafeMutablePointer<Float> { values.floats + entries[index].offset }

  func gradient(_ index: Int) -> UnsafeMutablePointer<Float>? { entries[index].trained.map { gradients.floats + $0 } }

  /// Begins a step: no gradient is set, and the next values of statistics are the current ones.
  func beginGradients() {
    sink.reset()
    for (index, entry) in entries.enumerated() where entry.kind == .statistic {
      sink.markBegun(index)
      if let next = gradient(index) { memcpy(next, value(index), entry.count * 4) }
    }
  }

  /// Prepares a gradient for an op; see GradientSink.begin.
  func beginGradient(_ index: Int, canSet: Bool) -> Bool {
    guard let gradient = gradient(index) else { return true }
    return sink.begin(index, gradient, entries[index].count, canSet: canSet)
  }

  /// Sets gradients that no op wrote to 0.
  func finishGradients() { for index in entries.indices { _ = beginGradient(index, canSet: false) } }
}
