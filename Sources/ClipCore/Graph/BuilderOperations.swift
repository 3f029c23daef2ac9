import CClip

/// Nodes that spread, join and shrink values.
extension Builder {
  func tableRow(_ name: Name, _ rows: UInt32, _ row: UInt32, _ width: UInt32) -> clip_value {
    guard let width = checkWidth(width, "table_row", name), let rows = checkWidth(rows, "table_row", name) else {
      return -1
    }
    guard Int(row) < rows else {
      fail(CLIP_INVALID_ARGUMENT, "table_row " + scoped(name).string + ": expected a row below \(rows), found \(row)")
      return -1
    }
    return add(RowParameter(scoped(name), rows: rows, row: Int(row), width: width))
  }

  func broadcast(_ x: clip_value, _ y: clip_value, _ operation: Broadcast.Operator) -> clip_value {
    let op: StaticString = operation == .sum ? "add" : "multiply"
    guard let left = shape(x, op), let right = shape(y, op) else { return -1 }
    if let spread = Broadcast.spread(right, over: left) {
      return add(Broadcast(Int(x), Int(y), shape: left, operation, spread))
    }
    if let spread = Broadcast.spread(left, over: right) {
      return add(Broadcast(Int(y), Int(x), shape: right, operation, spread))
    }
    fail(
      CLIP_INVALID_ARGUMENT,
      "\(op): expected values of one shape, or one of one row or one column, found " + left.text + " and " + right.text)
    return -1
  }

  func concat(_ x: clip_value, _ y: clip_value) -> clip_value {
    guard let left = shape(x, "concat"), let right = shape(y, "concat") else { return -1 }
    guard left.rows == right.rows, left.width + right.width <= Builder.largestWidth else {
      fail(
        CLIP_INVALID_ARGUMENT, "concat: expected two values of as many rows, found " + left.text + " and " + right.text)
      return -1
    }
    return add(
      Concat(Int(x), Int(y), rows: left.rows, grid: left.grid ?? right.grid, widths: (left.width, right.width)))
  }

  func dropout(_ x: clip_value, _ probability: Float) -> clip_value {
    guard let shape = shape(x, "dropout") else { return -1 }
    guard probability >= 0, probability < 1 else {
      fail(CLIP_INVALID_ARGUMENT, "dropout: expected a probability from 0 to 1, found \(probability)")
      return -1
    }
    return add(Dropout(input: Int(x), shape: shape, probability))
  }

  /// `name` nil: the mean of all.
  func mix(_ values: UnsafePointer<clip_value>?, _ count: Int, _ name: Name?) -> clip_value {
    guard let values, (1...1024).contains(count) else {
      fail(CLIP_INVALID_ARGUMENT, "mix: expected 1 to 1024 values, found \(count)")
      return -1
    }
    guard let first = shape(values[0], "mix") else { return -1 }
    var inputs: [Int] = []
    for index in 0..<count {
      guard let other = shape(values[index], "mix") else { return -1 }
      guard other.rows == first.rows, other.width == first.width else {
        fail(CLIP_INVALID_ARGUMENT, "mix: expected values of one shape, found " + first.text + " and " + other.text)
        return -1
      }
      inputs.append(Int(values[index]))
    }
    return add(Mix(inputs, shape: first, name: name.map { scoped($0) }))
  }

  func reduceColumns(_ x: clip_value, _ reduction: Reduction) -> clip_value {
    guard let shape = shape(x, reduction == .mean ? "mean_columns" : "max_columns") else { return -1 }
    return add(ReduceColumns(input: Int(x), of: shape, reduction))
  }

  func resize(_ x: clip_value, _ height: UInt32, _ width: UInt32, _ mode: clip_resize) -> clip_value {
    guard let shape = shape(x, "resize") else { return -1 }
    guard let grid = shape.grid, (1...16384).contains(height), (1...16384).contains(width) else {
      fail(
        CLIP_INVALID_ARGUMENT,
        "resize: expected a grid and sides from 1 to 16384, found " + shape.text + " and \(height) x \(width)")
      return -1
    }
    guard mode.rawValue <= CLIP_RESIZE_BILINEAR.rawValue else {
      fail(CLIP_INVALID_ARGUMENT, "resize: expected a clip_resize, found \(mode.rawValue)")
      return -1
    }
    let target = Shape.Grid(height: Int(height), width: Int(width))
    return grid == target ? x : add(Resize(input: Int(x), from: grid, to: target, channels: shape.width, mode))
  }
}
