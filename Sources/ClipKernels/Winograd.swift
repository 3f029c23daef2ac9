import CClip

extension KernelSet {
  /// One dimension of a transform: four elements of a row or column, each a vector of channels.
  public typealias Four = (Vector, Vector, Vector, Vector)

  /// clip_kernels.winograd_input.
  @_alwaysEmitIntoClient @inline(never)
  public static func winogradInput(_ work: UnsafePointer<clip_winograd_input>?) {
    guard let work = work?.pointee, let x = work.x, let packed = work.packed, work.rows > 0 else { return }
    let height = Int(work.height)
    let width = Int(work.width)
    let channels = Int(work.channels)
    let blocks = FloatWeights.depthBlocks(channels)
    let stride = packedRows(Int(work.rows), channels, CLIP_STORAGE_F32)
    forEachTile(Int(work.first_tile), Int(work.tiles), height, width) { index, image, y, x0 in
      let line = packed + PackedRows<T>.offset(row: Int(work.first_row) + index, of: Int(work.rows), blocks: blocks)
      let corner = x + ((image * height + y - 1) * width + x0 - 1) * channels
      let isInside = y > 0 && x0 > 0 && y + 3 <= height && x0 + 3 <= width
      for block in 0..<blocks {
        let begin = channels * block / blocks
        let count = channels * (block + 1) / blocks - begin
        let target = line + block * PackedRows<T>.blockFloats
        if isInside {
          transform(count, to: target, stride) { row, column, i, lanes in
            Vector.load(corner + (row * width + column) * channels + begin + i, lanes: lanes)
          }
        } else {
          transform(count, to: target, stride) { row, column, i, lanes in
            y + row > 0 && y + row <= height && x0 + column > 0 && x0 + column <= width
              ? Vector.load(corner + (row * width + column) * channels + begin + i, lanes: lanes)
              : Vector(repeating: 0)
          }
        }
      }
    }
  }

  /// B' d B for `count` channels of one tile. pixel(row, column, i, lanes) is d; the 16 results are `stride` apart.
  @_alwaysEmitIntoClient @inline(__always)
  static func transform(
    _ count: Int, to target: UnsafeMutablePointer<Float>, _ stride: Int, _ pixel: (Int, Int, Int, Int) -> Vector
  ) {
    @inline(__always) func step(_ d: Four) -> Four { (d.0 - d.2, d.1 + d.2, d.2 - d.1, d.1 - d.3) }
    vectors(count) { i, lanes in
      @inline(__always) func column(_ column: Int) -> Four {
        step(
          (
            pixel(0, column, i, lanes), pixel(1, column, i, lanes), pixel(2, column, i, lanes),
            pixel(3, column, i, lanes)
          ))
      }
      @inline(__always) func store(_ row: Int, _ d: Four) {
        let sums = step(d)
        let place = target + 4 * row * stride + i
        sums.0.store(place, lanes: lanes)
        sums.1.store(place + stride, lanes: lanes)
        sums.2.store(place + 2 * stride, lanes: lanes)
        sums.3.store(place + 3 * stride, lanes: lanes)
      }
      let (a, b, c, d) = (column(0), column(1), column(2), column(3))
      store(0, (a.0, b.0, c.0, d.0))
      store(1, (a.1, b.1, c.1, d.1))
      store(2, (a.2, b.2, c.2, d.2))
      store(3, (a.3, b.3, c.3, d.3))
    }
  }

  /// clip_kernels.winograd_output. A tile's four pixels replace the first four of its products and are then copied to
  /// C.
  @_alwaysEmitIntoClient @inline(never)
  public static func winogradOutput(_ work: UnsafePointer<clip_winograd_output>?) {
    guard let work = work?.pointee, let products = work.products, let c = work.c else { return }
    let height = Int(work.height)
    let width = Int(work.width)
    let columns = Int(work.columns)
    let stride = Int(work.tiles) * columns
    forEachTile(Int(work.first_tile), Int(work.tiles), height, width) { index, image, y, x in
      let tile = products + index * columns
      gather(columns, tile, stride)
      for pixel in 0..<4 where y + pixel / 2 < height && x + pixel % 2 < width {
        let row = (image * height + y + pixel / 2) * width + x + pixel % 2
        finish(
          tile + pixel * stride, columns, bias: work.bias, work.activation,
          residual: work.residual.map { $0 + row * Int(work.residual_stride) }, work.after,
          to: c + row * Int(work.c_stride))
      }
    }
  }

  /// A' m A of one tile, with m `stride` apart. The 2 x 2 results replace the first four elements.
  @_alwaysEmitIntoClient @inline(__always)
  static func gather(_ columns: Int, _ tile: UnsafeMutablePointer<Float>, _ stride: Int) {
    @inline(__always) func step(_ m: Four) -> (Vector, Vector) { (m.0 + m.1 + m.2, m.1 - m.2 - m.3) }
    vectors(columns) { i, lanes in
      @inline(__always) func product(_ index: Int) -> Vector { Vector.load(tile + index * stride + i, lanes: lanes) }
      @inline(__always) func column(_ column: Int) -> (Vector, Vector) {
        step((product(column), product(4 + column), product(8 + column), product(12 + column)))
      }
      let (a, b, c, d) = (column(0), column(1), column(2), column(3))
      let top = step((a.0, b.0, c.0, d.0))
      let bottom = step((a.1, b.1, c.1, d.1))
      top.0.store(tile + i, lanes: lanes)
      top.1.store(tile + stride + i, lanes: lanes)
      bottom.0.store(tile + 2 * stride + i, lanes: lanes)
      bottom.1.store(tile + 3 * stride + i, lanes: lanes)
    }
  }

  /// Calls body(index, image, y, x) for tiles of 2 x 2 pixels. y and x are those of the upper left pixel.
  @_alwaysEmitIntoClient @inline(__always)
  static func forEachTile(_ first: Int, _ count: Int, _ height: Int, _ width: Int, _ body: (Int, Int, Int, Int) -> Void)
  {
    let across = (width + 1) / 2
    let each = across * ((height + 1) / 2)
    for index in 0..<count {
      let tile = (first + index) % each
      body(index, (first + index) / each, tile / across * 2, tile % across * 2)
    }
  }
}
