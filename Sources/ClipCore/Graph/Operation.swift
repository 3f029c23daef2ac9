import CClip

/// One operation of a graph. Everything about an op is in its one file under Operations/: its
/// shape rule (in the initialiser), its parameters, what a rewrite may do with it, and how it runs.
class Operation {
  /// Nodes whose values it reads; all come before it in the graph.
  var inputs: [Int]
  let shape: Shape

  init(inputs: [Int], shape: Shape) {
    self.inputs = inputs
    self.shape = shape
  }

  /// The op's name as messages give it.
  var name: StaticString { "operation" }

  /// The name, with the id of an op that a plugin brings.
  var label: String { "\(name)" }

  /// The tensors it takes from the weights.
  var parameters: [Parameter] { [] }

  /// The value that all of a parameter has in a new model; nil if it is drawn at random.
  func initialValue(ofParameter index: Int) -> Float? { nil }

  /// Output row i is made from row i of each input alone.
  var isRowWise: Bool { false }

  /// When one row of the output is wanted: whether one row of input `index` is then enough.
  func needsOneRow(ofInput index: Int) -> Bool { isRowWise }

  /// The same op for one row an item, on `inputs` of which those that `needsOneRow` names are
  /// already picked; nil if the op cannot do that.
  func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? { nil }

  /// Rows after a text's end token cannot reach the rows up to it.
  var ignoresRowsAfterEnd: Bool { isRowWise }

  /// Reads and packs the parameters, once, before the first run.
  func load(_ loader: ParameterLoader) throws(ClipError) {}

  /// Loads what the first runs would, so that they take no longer than those that follow.
  func makeReady(_ threads: ThreadPool) throws(ClipError) {}

  /// Floats of shared scratch that a run with `batch` wants.
  func scratchFloats(_ batch: Batch, _ kernels: Kernels) -> Int { 0 }

  /// Whether its output may take the memory of input `index`, when nobody reads that after it.
  func mayOverwrite(input index: Int) -> Bool { false }

  /// Computes the output from the inputs: unless an op says otherwise, its rows in parts of a few
  /// thousand numbers.
  func run(_ run: Run) { run.parallel(self, run.output.rows, grain: max(1, 16384 / max(1, shape.width))) }

  /// Computes a part of the output: some rows, or what `run` has cut. Called from several threads at once.
  func compute(_ run: Run, _ part: Range<Int>) {}

  // MARK: Training

  /// Whether there is a `backward`.
  var isDifferentiable: Bool { false }

  /// Parameters that training averages rather than learns, such as running means.
  func isStatistic(_ parameter: Int) -> Bool { false }

  /// Takes its parameters from the store that training changes.
  func bind(_ loader: ParameterLoader) throws(ClipError) { try load(loader) }

  /// Whether `backward` reads the value of input `index`.
  func backwardReads(input index: Int) -> Bool { false }

  /// Whether `backward` reads the value that `forward` made.
  var backwardReadsOutput: Bool { false }

  /// Whether `backward` sets a gradient, all of it, unless `TrainingContext.adds` says to add; other ops always add.
  func setsGradient(ofInput index: Int) -> Bool { false }
  func setsGradient(ofParameter index: Int) -> Bool { false }

  /// Computing it again for `backward` costs less than keeping it.
  var isCheap: Bool { false }

  /// Floats of shared scratch for `forward` and `backward`.
  func trainingScratch(_ batch: Batch, _ kernels: Kernels) -> Int { scratchFloats(batch, kernels) }

  /// Computes the output while training. Doing it twice gives the same.
  func forward(_ context: TrainingContext) { run(context.run) }

  /// Adds the output's gradient, through the op, to those of its inputs and parameters.
  func backward(_ context: TrainingContext) {}

  /// A part of `backward`, as `TrainingContext.parallel` has cut it. Called from several threads at once. Sums over
  /// rows are made in one order, wherever the cuts fall.
  func backward(_ context: TrainingContext, _ part: Range<Int>, phase: Int) {}
}

/// Which row of an item is picked.
enum RowSelector: Equatable { case first, end }
