/// The built-in ops.
extension OpDescriptor {
  static let all: [OpDescriptor] = [
    .pixels, .tokens, .rowParameter, .table, .tableRow,
    .linear, .embedding, .positions, .sinusoids, .rotary, .layerNorm, .rmsNorm, .batchNorm, .responseNorm,
    .normalizeHeads, .activate, .add, .multiply, .subtract, .concat, .mix,
    .dropout,
    .meanColumns, .maxColumns,
    .attention, .disentangledAttention, .rotaryGrid, .gridBias, .paddingBias, .prepend, .firstRow, .endRow, .meanRows,
    .maxRows,
    .windowPartition, .windowMerge, .patchMerging, .windowAttention, .windowOffsets,
    .conv, .averagePool, .maxPool, .resize,
    .transformer, .featurePyramid, .channelAttention, .spatialAttention, .scaleAttention,
  ]
}
