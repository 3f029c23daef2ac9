import CClip

extension Builder {
  /// A feature pyramid (Lin et al., 2017, https://arxiv.org/abs/1612.03144) over grids from fine to
  /// coarse, whose levels are brought to the finest one's size and averaged.
  func featurePyramid(_ levels: UnsafePointer<clip_value>?, _ count: Int, _ features: UInt32) -> clip_value {
    guard let levels, (1...32).contains(count) else {
      fail(CLIP_INVALID_ARGUMENT, "feature_pyramid: expected 1 to 32 levels, found \(count)")
      return -1
    }
    guard let finest = shape(levels[0], "feature_pyramid") else { return -1 }
    guard let size = finest.grid else {
      fail(CLIP_INVALID_ARGUMENT, "feature_pyramid: expected grids, found " + finest.text)
      return -1
    }
    var outputs: [clip_value] = []
    var inner: clip_value = -1
    for level in (0..<count).reversed() {
      let lateral = squareConv(levels[level], Name("lateral_convs.\(level)"), features, kernel: 1)
      guard let grid = shape(lateral, "feature_pyramid")?.grid else { return -1 }
      if level == count - 1 {
        inner = lateral
      } else {
        inner = sum(lateral, resize(inner, UInt32(grid.height), UInt32(grid.width), CLIP_RESIZE_NEAREST))
      }
      let smooth = squareConv(inner, Name("output_convs.\(level)"), features, kernel: 3)
      outputs.insert(resize(smooth, UInt32(size.height), UInt32(size.width), CLIP_RESIZE_BILINEAR), at: 0)
    }
    return outputs.withUnsafeBufferPointer { mix($0.baseAddress, $0.count, nil) }
  }

  /// A convolution that keeps the sides, which an odd kernel can.
  func squareConv(_ x: clip_value, _ name: Name, _ features: UInt32, kernel: UInt32, flags: UInt32 = 0) -> clip_value {
    var window = clip_window(
      struct_size: UInt32(MemoryLayout<clip_window>.size), kernel_height: kernel, kernel_width: kernel, stride: 1,
      padding: kernel / 2, dilation: 1, groups: 1)
    return conv(x, name, features, &window, flags)
  }
}
