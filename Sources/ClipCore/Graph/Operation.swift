import CClip

/// An op in a graph. Its file under Operations/ has all of it: the shape rule (in the initialiser), parameters, what
/// rewrites may do with it, and how it runs.
class Operation {
  /// The nodes whose values it reads; all come before it in the graph.
  final var inputs: [Int]
  final let shape: Shape

  init(inputs: [Int], shape: Shape) {
    self.inputs = inputs
    self.shape = shape
  }

  /// The op's name, for messages.
  var name: StaticString { "operation" }

  /// The name, and the id of a plugin's op.
  var label: String { "\(name)" }

  /// The tensors that it takes from the weights.
  var parameters: [Parameter] { [] }

  /// The value of all elements of a parameter in a new model; nil if they are drawn at random.
  func initialValue(ofParameter index: Int) -> Float? { nil }

  /// Whether output row i depends on row i of each input only.
  var isRowWise: Bool { false }

  /// Whether one row of input `index` is enough for one row of the output.
  func needsOneRow(ofInput index: Int) -> Bool { isRowWise }

  /// The op for one row of each item; nil if it has no such form. The inputs that `needsOneRow` names are picked
  /// already.
  func picking(_ selector: RowSelector, inputs: [Int]) -> Operation? { nil }

  /// Whether rows after a text's end token cannot change the rows before.
  var ignoresRowsAfterEnd: Bool { isRowWise }

  /// Reads and packs the parameters, once, before the first run.
  func load(_ loader: ParameterLoader) throws(ClipError) {}

  /// Loads what is deferred, so that the first runs take no longer than later ones.
  func makeReady(_ threads: ThreadPool) throws(ClipError) {}

  /// Floats of shared scratch for a run with `batch`.
  func scratchFloats(_ batch: Batch, _ kernels: Kernels) -> Int { 0 }

  /// Whether its output may be written over input `index`, if nobody reads that later.
  func mayOverwrite(input index: Int) -> Bool { false }

  /// Computes the output. By default rows are divided into parts of a few thousand elements.
  func run(_ run: Run) { run.parallel(self, run.output.rows, grain: max(1, 16384 / max(1, shape.width))) }

  /// Computes a part of the output: some rows, or what `run` divides. Called on several threads at once.
  func compute(_ run: Run, _ part: Range<Int>) {}

  // MARK: Training

  /// Whether there is a `backward`.
  var isDifferentiable: Bool { false }

  /// Parameters that training averages rather than learns, such as running means.
  func isStatistic(_ parameter: Int) -> Bool { false }

  /// Takes the parameters from the store that training changes.
  func bind(_ loader: ParameterLoader) throws(ClipError) { try load(loader) }

  /// Whether `backward` reads the value of input `index`.
  func backwardReads(input index: Int) -> Bool { false }

  /// Whether `backward` reads the value that `forward` made.
  var backwardReadsOutput: Bool { false }

  /// Whether `backward` sets all elements of the gradient, unless `TrainingContext.adds` says to add. Other ops always
  /// add.
  func setsGradient(ofInput index: Int) -> Bool { false }
  func setsGradient(ofParameter index: Int) -> Bool { false }

  /// Whether recomputing the output for `backward` costs less than keeping it.
  var isCheap: Bool { false }

  /// Floats of shared scratch for `forward` and `backward`.
  func trainingScratch(_ batch: Batch, _ kernels: Kernels) -> Int { scratchFloats(batch, kernels) }

  /// Computes the output in training. Computing it again gives the same bits.
  func forward(_ context: TrainingContext) { run(context.run) }

  /// Adds to the gradients of inputs and parameters, from the output's gradient.
  func backward(_ context: TrainingContext) {}

  /// A part of `backward`, as divided by `TrainingContext.parallel`. Called on several threads at once. Sums over rows
  /// have one order, however they are divided.
  func backward(_ context: TrainingContext, _ part: Range<Int>, phase: Int) {}
}

/// Which row of an item is picked.
enum RowSelector: Equatable { case first, end }
