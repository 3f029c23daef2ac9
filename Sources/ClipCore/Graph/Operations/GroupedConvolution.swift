import CClip

/// A convolution of groups: each group of output channels sees its own group of input channels
/// (Xie et al., 2017, https://arxiv.org/abs/1611.05431). One matrix product for each group.
final class GroupedConvolution: Convolution {
  private var groupWeights: [PackedMatrix] = []

  override func load(_ loader: ParameterLoader) throws(ClipError) {
    let (bias, scale) = try affine(loader)
    let features = shape.width / groups
    for group in 0..<groups {
      groupWeights.append(
        try loader.matrix(
          weight, rows: (group * features)..<((group + 1) * features), scale: scale, channels: groupWidth, area: area))
    }
    keep(nil, bias: bias)
  }

  override var storage: clip_storage { groupWeights.first?.storage ?? CLIP_STORAGE_F32 }

  override func scratchFloats(_ batch: Batch, _ kernels: Kernels) -> Int {
    groupWeights.first.map { plan($0, rows: batch.totalRows(shape.rows), kernels).scratchFloats } ?? 0
  }

  override func run(_ run: Run) {
    let features = shape.width / groups
    for (group, weights) in groupWeights.enumerated() {
      run.multiply(self, weights, group: group, firstColumn: group * features)
    }
  }
}
