/// The progress of a run: a bar on a terminal, else a line at intervals.
struct TrainingProgress {
  private let total: Int
  private let first: Int
  private let every: Int
  private let bar: ProgressBar
  private let start = seconds()
  /// When the bar was last drawn; when the last line was printed, and the samples then.
  private var drawn = 0.0
  private var told: (time: Double, samples: Int)
  private var samplesPerSecond = 0.0

  init(total: Int, from first: Int, every: Int) {
    self.total = total
    self.first = first
    self.every = every
    bar = ProgressBar("Training", total: total, from: first)
    told = (start, 0)
  }

  /// Called after each step and at the end. `samples` counts all that this process has trained on.
  mutating func update(_ metrics: TrainingMetrics, samples: Int, isOver: Bool) {
    let now = seconds()
    let step = metrics.step
    let isLine = (step % every == 0 || step == first + 1) != isOver
    // After an evaluation no time has passed to divide by.
    if isLine || samplesPerSecond == 0, samples > told.samples {
      samplesPerSecond = Double(samples - told.samples) / max(now - told.time, 1e-9)
      told = (now, samples)
    }
    let accuracy = fixed(100 * Double(metrics.accuracy), 1) + " %"
    let (loss, temperature) = (fixed(metrics.loss, 4), fixed(metrics.temperature, 2))
    let rate = scientific(metrics.learningRate)
    let speed = "\(fixed(samplesPerSecond, 1)) samples/s"
    if Console.shared.isTerminal {
      guard now - drawn > 0.1 || isOver else { return }
      drawn = now
      bar.update(step, ["loss \(loss)", "acc \(accuracy)", "temp \(temperature)", "lr \(rate)", speed])
    } else if isLine {
      let left = clock((now - start) / Double(max(step - first, 1)) * Double(total - step))
      Console.shared.line(
        "step \(step)/\(total)  loss \(loss)  accuracy \(accuracy)  temperature \(temperature)  rate \(rate)  \(speed)  \(left) left"
      )
    }
  }

  /// A line of the log for the step.
  func line(_ metrics: TrainingMetrics, epoch: Int) -> JSON {
    [
      "step": .integer(metrics.step), "epoch": .integer(epoch), "loss": .double(metrics.loss),
      "accuracy": .float(metrics.accuracy),
      "temperature": .double(metrics.temperature), "learning_rate": .double(metrics.learningRate),
      "gradient_norm": .double(metrics.gradientNorm), "samples_per_second": .double(samplesPerSecond),
      "seconds": .double(seconds() - start),
    ]
  }

  /// Reports an evaluation, whose time does not count for the rate.
  mutating func tell(_ scalars: [(tag: String, value: Double)], step: Int, samples: Int) {
    let facts = scalars.map { "\($0.tag) \(fixed($0.value, 4))" }.joined(separator: "  ")
    Console.shared.line("step \(step)/\(total)  \(facts)")
    told = (seconds(), samples)
  }

  func finish() { bar.finish() }
}

/// "5.00e-4"
private func scientific(_ value: Double) -> String {
  guard value > 0, value.isFinite else { return "0" }
  var (mantissa, exponent) = (value, 0)
  while mantissa >= 9.995 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
  while mantissa < 0.9995 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
  return "\(fixed(mantissa, 2))e\(exponent)"
}
