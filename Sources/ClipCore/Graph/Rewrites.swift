import CClip

/// Rewrites that make a graph cheaper without changing a result.
extension Graph {
  mutating func optimise() {
    dropDropout()
    prepareToTrain()
    foldBatchNorms()
    fuseEpilogues()
    prune()
  }

  /// The rewrites that stay valid while weights change.
  mutating func prepareToTrain() {
    prune()
    pickRowsEarly()
    prune()
  }

  /// Inference only: removes dropout.
  private mutating func dropDropout() {
    for index in nodes.indices {
      if let dropout = nodes[index] as? Dropout, let source = dropout.inputs.first { redirect(index, to: source) }
    }
  }

  private enum Demand: Equatable {
    case nothing
    case row(RowSelector)
    case all

    func joined(_ other: Demand) -> Demand { self == .nothing || self == other ? other : .all }
  }

  /// Row demand: if only one row of each item is read, ops that can compute that row alone do. With a class token read
  /// at the end, the last block's projections and MLP compute one row; its attention still reads all keys and values.
  /// Exact.
  private mutating func pickRowsEarly() {
    var demand = [Demand](repeating: .nothing, count: nodes.count)
    demand[output] = .all
    for index in nodes.indices.reversed() {
      let node = nodes[index]
      for (position, input) in node.inputs.enumerated() {
        var wanted = Demand.all
        if let pick = node as? PickRow {
          wanted = .row(pick.selector)
        } else if case .row = demand[index], node.picking(.first, inputs: node.inputs) != nil,
          node.needsOneRow(ofInput: position)
        {
          wanted = demand[index]
        }
        demand[input] = demand[input].joined(wanted)
      }
    }

    var rebuilt: [Operation] = []
    var whole = [Int](repeating: -1, count: nodes.count)
    var picked = [Int](repeating: -1, count: nodes.count)
    func place(_ node: Operation) -> Int {
      rebuilt.append(node)
      return rebuilt.count - 1
    }
    func pickedValue(_ index: Int, _ selector: RowSelector) -> Int {
      if picked[index] < 0 { picked[index] = place(PickRow(input: whole[index], of: nodes[index].shape, selector)) }
      return picked[index]
    }
    for index in nodes.indices {
      let node = nodes[index]
      if let pick = node as? PickRow, let source = pick.inputs.first {
        // Another row of the same value is picked elsewhere: the value stays whole, and this pick is separate.
        whole[index] =
          demand[source] == .row(pick.selector)
          ? pickedValue(source, pick.selector)
          : place(PickRow(input: whole[source], of: nodes[source].shape, pick.selector))
      } else if case .row(let selector) = demand[index],
        let narrow = node.picking(
          selector,
          inputs: node.inputs.enumerated().map { position, input in
            node.needsOneRow(ofInput: position) ? pickedOrWhole(input, selector) : whole[input]
          })
      {
        picked[index] = place(narrow)
      } else {
        node.inputs = node.inputs.map { whole[$0] }
        whole[index] = place(node)
      }
    }
    func pickedOrWhole(_ input: Int, _ selector: RowSelector) -> Int {
      if demand[input] == .row(selector) { return pickedValue(input, selector) }
      return place(PickRow(input: whole[input], of: nodes[input].shape, selector))
    }
    output = whole[output]
    nodes = rebuilt
  }

  /// Inference only: folds a batch norm into the weights and bias of the convolution before it.
  private mutating func foldBatchNorms() {
    let uses = useCounts()
    for index in nodes.indices {
      guard let norm = nodes[index] as? BatchNorm, let source = norm.inputs.first,
        let conv = nodes[source] as? Convolution, uses[source] == 1, conv.norm == nil, conv.activation == CLIP_IDENTITY
      else { continue }
      conv.norm = norm
      redirect(index, to: source)
    }
  }

  /// Fuses activations and residual additions into the epilogue of the matrix product before them.
  private mutating func fuseEpilogues() {
    var uses = useCounts()
    for index in nodes.indices {
      if let activation = nodes[index] as? Activation, let source = activation.inputs.first, uses[source] == 1,
        let product = nodes[source] as? MatrixOperation, product.activation == CLIP_IDENTITY, !product.hasResidual
      {
        product.activation = activation.activation
        redirect(index, to: source)
        uses = useCounts()
      }
    }
    for index in nodes.indices {
      guard let sum = nodes[index] as? Add, sum.inputs.count == 2 else { continue }
      // The later node is the product, so that its residual is computed before.
      let source = max(sum.inputs[0], sum.inputs[1])
      let residual = min(sum.inputs[0], sum.inputs[1])
      guard source != residual, uses[source] == 1, let product = nodes[source] as? MatrixOperation, !product.hasResidual
      else { continue }
      product.inputs.append(residual)
      product.hasResidual = true
      redirect(index, to: source)
      uses = useCounts()
    }
    for index in nodes.indices {
      if let activation = nodes[index] as? Activation, let source = activation.inputs.first, uses[source] == 1,
        let product = nodes[source] as? MatrixOperation, product.hasResidual, product.after == CLIP_IDENTITY
      {
        product.after = activation.activation
        redirect(index, to: source)
        uses = useCounts()
      }
    }
  }

  /// Makes every reader of `old` read `new`.
  private mutating func redirect(_ old: Int, to new: Int) {
    nodes[old].inputs = []
    for node in nodes { node.inputs = node.inputs.map { $0 == old ? new : $0 } }
    if output == old { output = new }
  }
}
