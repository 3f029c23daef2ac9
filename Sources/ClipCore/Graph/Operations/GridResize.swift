import CClip
import CSystem

/// A grid of another size, as PyTorch's interpolate makes it with align_corners false and no
/// antialiasing.
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
      let picture = x.data + line / to.height * from.height * from.width * x.width
      let target = run.output.data + line * to.width * x.width
      if mode == CLIP_RESIZE_NEAREST {
        copyNearest(picture, line % to.height, target, x.width)
      } else {
        mixLinear(picture, line % to.height, target, x.width)
      }
    }
  }

  private func copyNearest(
    _ x: UnsafePointer<Float>, _ row: Int, _ target: UnsafeMutablePointer<Float>, _ width: Int
  ) {
    func nearest(_ place: Int, _ from: Int, _ to: Int) -> Int {
      min(from - 1, Int(Float(place) * (Float(from) / Float(to))))
    }
    let line = x + nearest(row, from.height, to.height) * from.width * width
    for column in 0..<to.width {
      (target + column * width).update(from: line + nearest(column, from.width, to.width) * width, count: width)
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
          a * upper[left + channel] + b * upper[right + channel] + c * lower[left + channel] + d * lower[right + channel]
      }
    }
  }

  /// The two places of the source between which the centre of a place of the result lies.
  private struct Neighbours {
    let low: Int
    let high: Int
    let lowWeight: Float
    let highWeight: Float

    init(_ place: Int, _ from: Int, _ to: Int) {
      let centre = max(0, (Float(place) + 0.5) * (Float(from) / Float(to)) - 0.5)
      low = min(from - 1, Int(centre))
      high = min(from - 1, low + 1)
      highWeight = min(1, max(0, centre - Float(low)))
      lowWeight = 1 - highWeight
    }
  }
}
