/// The outcome of a step, and the position after it.
struct Delivery {
  let outcome: Outcome
  let position: SamplePosition
}

/// The samples of a data set in the order of its sequence, made by `maker`.
struct SampleSource: ItemSource {
  let maker: SampleMaker
  let order: SampleOrder

  func next() -> (SampleStep, SamplePosition) { order.next() }

  func stop() { order.stop() }

  func make(_ step: (SampleStep, SamplePosition)) -> Delivery {
    Delivery(outcome: outcome(step.0, step.1), position: step.1)
  }

  private func outcome(_ step: SampleStep, _ position: SamplePosition) -> Outcome {
    switch step {
    case .sample(let reference):
      let options = maker.options
      // All parts of a run have different numbers.
      let number = (position.sequence &- 1) &* UInt64(options.parts) &+ UInt64(options.part)
      return maker.make(reference, number: number)
    case .damaged(let error): return .damaged(error)
    case .failed(let error): return .failed(error)
    case .endOfEpoch: return .endOfEpoch
    case .end: return .end
    }
  }
}
