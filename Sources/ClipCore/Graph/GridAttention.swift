import CClip

/// Attention over the channels, pixels and scales of a grid: the first two are the parts of CBAM
/// (Woo et al., 2018, https://arxiv.org/abs/1807.06521).
extension Builder {
  func channelAttention(_ x: clip_value, _ reduction: UInt32) -> clip_value {
    guard let width = shape(x, "channel_attention").map({ UInt32($0.width) }) else { return -1 }
    guard reduction >= 1, width / reduction >= 1 else {
      fail(CLIP_INVALID_ARGUMENT, "channel_attention: expected a reduction from 1 to \(width), found \(reduction)")
      return -1
    }
    func weigh(_ pooled: clip_value) -> clip_value {
      let hidden = activate(linear(pooled, "fc.0", width / reduction, UInt32(CLIP_NO_BIAS)), CLIP_RELU)
      return linear(hidden, "fc.2", width, UInt32(CLIP_NO_BIAS))
    }
    let weights = sum(weigh(reduceRows(x, .mean)), weigh(reduceRows(x, .maximum)))
    return broadcast(x, activate(weights, CLIP_SIGMOID), .product)
  }

  func spatialAttention(_ x: clip_value, _ kernel: UInt32) -> clip_value {
    guard checkOdd(kernel, "spatial_attention") else { return -1 }
    let pooled = concat(reduceColumns(x, .mean), reduceColumns(x, .maximum))
    let weights = squareConv(pooled, "conv", 1, kernel: kernel, flags: UInt32(CLIP_NO_BIAS))
    return broadcast(x, activate(weights, CLIP_SIGMOID), .product)
  }

  func scaleAttention(_ x: clip_value, _ kernels: UnsafePointer<UInt32>?, _ count: Int) -> clip_value {
    guard let kernels, (1...32).contains(count) else {
      fail(CLIP_INVALID_ARGUMENT, "scale_attention: expected 1 to 32 kernel sizes, found \(count)")
      return -1
    }
    guard let width = shape(x, "scale_attention").map({ UInt32($0.width) }) else { return -1 }
    var scales: [clip_value] = []
    for index in 0..<count {
      guard checkOdd(kernels[index], "scale_attention") else { return -1 }
      scales.append(squareConv(x, Name("scales.\(index)"), width, kernel: kernels[index]))
    }
    return scales.withUnsafeBufferPointer { mix($0.baseAddress, $0.count, "scale_weights") }
  }

  private func checkOdd(_ kernel: UInt32, _ op: StaticString) -> Bool {
    if kernel % 2 == 1 { return true }
    fail(CLIP_INVALID_ARGUMENT, "\(op): expected an odd kernel size, found \(kernel)")
    return false
  }
}
