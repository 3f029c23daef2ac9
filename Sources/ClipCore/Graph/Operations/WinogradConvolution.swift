import CClip

/// A 3 x 3 convolution with stride and padding 1 by Winograd's F(2 x 2, 3 x 3) (Lavin and Gray, 2015,
/// https://arxiv.org/abs/1509.09308): 16 multiplications for 2 x 2 pixels, a channel and a feature, instead of 36.
/// Transformed weights are 16/9 as large, and lose precision when stored in 16 or 8 bits, so a model with such storage
/// uses windows.
final class WinogradConvolution: Convolution {
  private var filters: WinogradFilters?

  /// Whether it is faster than windows, whatever the batch. On small grids, tiles extend over the edge and the larger
  /// weights are read for few pixels; with few channels, the transforms cost more than they save.
  static func suits(_ shape: Shape, _ window: Window, features: Int) -> Bool {
    window.kernelHeight == 3 && window.kernelWidth == 3 && window.stride == 1 && window.padding == 1
      && window.paddingEnd == 1
      && window.dilation == 1 && min(window.input.height, window.input.width) >= 12 && min(shape.width, features) >= 16
  }

  override func load(_ loader: ParameterLoader) throws(ClipError) {
    guard loader.storage == CLIP_STORAGE_F32 else {
      try super.load(loader)
      return
    }
    let (bias, scale) = try affine(loader)
    filters = try loader.winograd(weight, features: shape.width, channels: groupWidth, scale: scale)
    keep([], bias: bias)
  }

  override func scratchFloats(_ batch: Batch, _ kernels: Kernels) -> Int {
    guard let filters else { return super.scratchFloats(batch, kernels) }
    return WinogradPlan(tiles: batch.items * tilesEach, filters, kernels).scratchFloats
  }

  /// Tiles of an image.
  private var tilesEach: Int { ((window.output.height + 1) / 2) * ((window.output.width + 1) / 2) }

  override func run(_ run: Run) {
    guard let filters else { return super.run(run) }
    let plan = WinogradPlan(tiles: run.batch.items * tilesEach, filters, run.kernels)
    let product = WinogradProduct(op: self, run: run, plan: plan, filters: filters)
    if plan.sharesBlocks {
      run.threads.run(plan.blocks * WinogradInputs.parts, WinogradInputs(product: product))
      run.threads.run(plan.blocks * filters.groups, WinogradOutputs(product: product))
    } else {
      run.threads.run(plan.pieces, WinogradPieces(product: product))
    }
  }

  /// Transforms some tiles of a block; its packed form starts at `packed`.
  fileprivate func transformInput(
    _ run: Run, _ tiles: Range<Int>, of block: Range<Int>, to packed: UnsafeMutablePointer<Float>
  ) {
    let x = run.input(0)
    var work = clip_winograd_input()
    work.x = UnsafePointer(x.data)
    work.height = window.input.height
    work.width = window.input.width
    work.channels = x.width
    work.first_tile = tiles.lowerBound
    work.tiles = tiles.count
    work.packed = packed
    work.first_row = tiles.lowerBound - block.lowerBound
    work.rows = block.count
    run.kernels.table.pointee.winograd_input(&work)
  }

  /// Computes the output of some tiles and one group of features: 16 products and the inverse transform.
  fileprivate func transformOutput(
    _ run: Run, _ tiles: Range<Int>, _ filters: WinogradFilters, group: Int, _ packed: UnsafePointer<Float>,
    _ products: UnsafeMutablePointer<Float>
  ) {
    let table = run.kernels.table
    let columns = filters.columns(ofGroup: group)
    var product = clip_matmul()
    product.storage = CLIP_STORAGE_F32
    product.c_stride = columns.count
    product.rows = tiles.count
    product.columns = columns.count
    product.depth = filters.depth
    product.tile_end = run.kernels.tiles(tiles.count)
    product.panel_end = filters.panels(ofGroup: group).count
    let stride = table.pointee.packed_rows(tiles.count, filters.depth, CLIP_STORAGE_F32)
    for place in 0..<16 {
      product.a = packed + place * stride
      product.weights = UnsafeRawPointer(filters.matrix(group, place))
      product.c = products + place * tiles.count * columns.count
      table.pointee.matmul(&product)
    }
    let output = run.output
    var work = clip_winograd_output()
    work.products = products
    work.height = window.output.height
    work.width = window.output.width
    work.columns = columns.count
    work.first_tile = tiles.lowerBound
    work.tiles = tiles.count
    work.activation = activation
    work.after = after
    work.c = output.data + columns.lowerBound
    work.c_stride = output.width
    work.bias = bias.map { UnsafePointer($0.floats + columns.lowerBound) }
    if hasResidual {
      work.residual = UnsafePointer(run.input(inputs.count - 1).data + columns.lowerBound)
      work.residual_stride = output.width
    }
    table.pointee.winograd_output(&work)
  }
}

/// How the tiles of a batch are divided among threads, and the scratch for that. Many tiles are divided into blocks: a
/// piece transforms and multiplies its blocks in its own scratch. Few tiles are transformed first, then the filters are
/// divided. Results do not depend on it.
private struct WinogradPlan {
  let tiles: Int
  let sharesBlocks: Bool
  let pieces: Int
  let blocks: Int
  let packedFloats: Int
  let productFloats: Int
  let scratchFloats: Int

  init(tiles: Int, _ filters: WinogradFilters, _ kernels: Kernels) {
    let most = 56
    let byTiles = max(1, min(4 * kernels.threads, tiles / 24))
    self.tiles = tiles
    sharesBlocks = byTiles < 2 * kernels.threads && byTiles < filters.groups && kernels.threads > 1
    pieces = sharesBlocks ? 1 : byTiles
    let share = (tiles + pieces - 1) / pieces
    let forThreads = sharesBlocks ? min((2 * kernels.threads + filters.groups - 1) / filters.groups, tiles / 12) : 1
    blocks = pieces * max(forThreads, (share + most - 1) / most)
    let rows = (tiles + blocks - 1) / blocks
    packedFloats = 16 * kernels.table.pointee.packed_rows(rows, filters.depth, CLIP_STORAGE_F32)
    productFloats = 16 * rows * filters.groupColumns
    scratchFloats =
      sharesBlocks ? blocks * (packedFloats + filters.groups * productFloats) : pieces * (packedFloats + productFloats)
  }

  func tiles(ofBlock index: Int) -> Range<Int> { (index * tiles / blocks)..<((index + 1) * tiles / blocks) }
}

private struct WinogradProduct {
  unowned(unsafe) let op: WinogradConvolution
  let run: Run
  let plan: WinogradPlan
  unowned(unsafe) let filters: WinogradFilters
}

/// A piece is some blocks, each with all filters.
private struct WinogradPieces: Work {
  let product: WinogradProduct

  func part(_ piece: Int) {
    let plan = product.plan
    let packed = product.run.scratch + piece * (plan.packedFloats + plan.productFloats)
    for block in plan.blocks.share(piece, of: plan.pieces) {
      let tiles = plan.tiles(ofBlock: block)
      product.op.transformInput(product.run, tiles, of: tiles, to: packed)
      for group in 0..<product.filters.groups {
        product.op.transformOutput(
          product.run, tiles, product.filters, group: group, packed, packed + plan.packedFloats)
      }
    }
  }
}

/// A piece transforms a part of a block, for all pieces of the filters.
private struct WinogradInputs: Work {
  let product: WinogradProduct
  static var parts: Int { 8 }

  func part(_ piece: Int) {
    let (block, part) = (piece / WinogradInputs.parts, piece % WinogradInputs.parts)
    let all = product.plan.tiles(ofBlock: block)
    let begin = all.lowerBound + part * all.count / WinogradInputs.parts
    let end = all.lowerBound + (part + 1) * all.count / WinogradInputs.parts
    product.op.transformInput(
      product.run, begin..<end, of: all, to: product.run.scratch + block * product.plan.packedFloats)
  }
}

/// A piece is a block with a group of the filters.
private struct WinogradOutputs: Work {
  let product: WinogradProduct

  func part(_ piece: Int) {
    let plan = product.plan
    let block = piece / product.filters.groups
    product.op.transformOutput(
      product.run, plan.tiles(ofBlock: block), product.filters, group: piece % product.filters.groups,
      product.run.scratch + block * plan.packedFloats,
      product.run.scratch + plan.blocks * plan.packedFloats + piece * plan.productFloats)
  }
}
