import CClip
import CSystem

extension OpDescriptor {
  static let resize = OpDescriptor(
    "resize", inputs: 1,
    settings: [
      .integer("height", 1...16384), .integer("width", 1...16384),
      .integer("mode", 0...Int(CLIP_RESIZE_BILINEAR.rawValue)),
    ]
  ) { call throws(ClipError) in
    guard let grid = call.shapes[0].grid else { throw call.expected("a grid") }
    let target = Shape.Grid(height: try call.integer("height"), width: try call.integer("width"))
    if grid == target { return call.inputs[0] }
    return try call.add(
      Resize(
        input: call.inputs[0], from: grid, to: target, channels: call.shapes[0].width,
        clip_resize(UInt32(try call.integer("mode")))))
  }
}

/// Resizes a grid as PyTorch's interpolate with align_corners false and no antialiasing.
final class Resize: Operation {
  let mode: clip_resize
  private let from: Shape.Grid
  private let to: Shape.Grid

  init(input: Int, from: Shape.Grid, to: Shape.Grid, channels: Int, _ mode: clip_resize) {
    self.mode = mode
    self.from = from
    self.to = to
    super.init(inputs: [input], shape: .grid(to.height, to.width, channels: channels))
  }

  override var name: StaticString { "resize" }

  override func run(_ run: Run) {
    run.parallel(self, run.output.rows / to.width, grain: max(1, 16384 / (to.width * shape.width)))
  }

  override func compute(_ run: Run, _ lines: Range<Int>) {
    let x = run.input(0)
    for line in lines {
      let image = x.data + line / to.height * from.height * from.width * x.width
      let target = run.output.data + line * to.width * x.width
      if mode == CLIP_RESIZE_NEAREST {
        copyNearest(image, line % to.height, target, x.width)
      } else {
        mixLinear(image, line % to.height, target, x.width)
      }
    }
  }

  private func copyNearest(
    _ x: UnsafePointer<Float>, _ row: Int, _ target: UnsafeMutablePointer<Float>, _ width: Int
  ) {
    let line = x + Neighbours(nearest: row, from.height, to.height).low * from.width * width
    for column in 0..<to.width {
      let source = line + Neighbours(nearest: column, from.width, to.width).low * width
      (target + column * width).update(from: source, count: width)
    }
  }

  private func mixLinear(_ x: UnsafePointer<Float>, _ row: Int, _ target: UnsafeMutablePointer<Float>, _ width: Int) {
    let vertical = Neighbours(row, from.height, to.height)
    let upper = x + vertical.low * from.width * width
    let lower = x + vertical.high * from.width * width
    for column in 0..<to.width {
      let horizontal = Neighbours(column, from.width, to.width)
      let left = horizontal.low * width
      let right = horizontal.high * width
      let a = vertical.lowWeight * horizontal.lowWeight
      let b = vertical.lowWeight * horizontal.highWeight
      let c = vertical.highWeight * horizontal.lowWeight
      let d = vertical.highWeight * horizontal.highWeight
      let output = target + column * width
      for channel in 0..<width {
        output[channel] =
          a * upper[left + channel] + b * upper[right + channel] + c * lower[left + channel] + d
          * lower[right + channel]
      }
    }
  }

  /// The two source positions next to the centre of an output position.
  private struct Neighbours {
    let low: Int
    let high: Int
    let lowWeight: Float
    let highWeight: Float

    /// The nearest position alone.
    init(nearest place: Int, _ from: Int, _ to: Int) {
      low = min(from - 1, Int(Float(place) * (Float(from) / Float(to))))
      high = low
      lowWeight = 1
      highWeight = 0
    }

    init(_ place: Int, _ from: Int, _ to: Int) {
      let centre = max(0, (Float(place) + 0.5) * (Float(from) / Float(to)) - 0.5)
      low = min(from - 1, Int(centre))
      high = min(from - 1, low + 1)
      highWeight = min(1, max(0, centre - Float(low)))
      lowWeight = 1 - highWeight
    }
  }

  // MARK: Training

  override var isDifferentiable: Bool { true }
  override func backward(_ context: TrainingContext) { context.parallel(self, context.batch.items, grain: 1) }

  /// An element's gradient goes to the elements that it was computed from, with the same weights.
  override func backward(_ context: TrainingContext, _ items: Range<Int>, phase: Int) {
    guard let dx = context.inputGradient(0) else { return }
    let width = shape.width
    for item in items {
      let image = dx + item * from.height * from.width * width
      let gradient = context.gradient.data + item * to.height * to.width * width
      for row in 0..<to.height {
        let vertical = neighbours(row, from.height, to.height)
        for column in 0..<to.width {
          let horizontal = neighbours(column, from.width, to.width)
          let dy = gradient + (row * to.width + column) * width
          for (line, a) in [(vertical.low, vertical.lowWeight), (vertical.high, vertical.highWeight)] where a != 0 {
            for (place, b) in [(horizontal.low, horizontal.lowWeight), (horizontal.high, horizontal.highWeight)]
            where b != 0 {
              let target = image + (line * from.width + place) * width
              for channel in 0..<width { target[channel] += a * b * dy[channel] }
            }
          }
        }
      }
    }
  }

  private func neighbours(_ place: Int, _ from: Int, _ to: Int) -> Neighbours {
    mode == CLIP_RESIZE_NEAREST ? Neighbours(nearest: place, from, to) : Neighbours(place, from, to)
  }
}
