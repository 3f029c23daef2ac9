extension Model {
  /// Elements of one embedding.
  var width: Int { info.embeddingWidth }

  /// Embeds images in batches. Calls `use` with the index in `paths` and the embedding of each good
  /// one, in order; the others are reported and returned.
  func embed(
    images paths: [ByteString], batch: Int, threads: Int, options: EncodeOptions = .init(),
    _ use: (Int, ArraySlice<Float>) -> Void
  ) throws(CLIPError) -> [Skipped] {
    let loader = try ImageLoader(self, paths, batch: batch, threads: threads, options: options)
    defer { loader.stop() }
    let progress = ProgressBar("Images", total: paths.count)
    defer { progress.finish() }
    var skipped: [Skipped] = []
    var done = 0
    while let batch = loader.take() {
      for (index, reason) in batch.failed {
        let entry = Skipped(path: paths[index], reason: reason)
        entry.report()
        skipped.append(entry)
      }
      if !batch.indices.isEmpty {
        let rows = try encode(pixels: batch.pixels, options: options)
        for (row, index) in batch.indices.enumerated() { use(index, rows[(row * width)..<((row + 1) * width)]) }
      }
      done += batch.indices.count + batch.failed.count
      progress.update(done)
    }
    return skipped
  }

  /// Embeds texts in batches: `[texts.count, width]`.
  func embed(texts: [String], batch: Int, options: EncodeOptions) throws(CLIPError) -> [Float] {
    let progress = ProgressBar("Texts", total: texts.count)
    defer { progress.finish() }
    var rows: [Float] = []
    rows.reserveCapacity(texts.count * width)
    for first in stride(from: 0, to: texts.count, by: batch) {
      let part = Array(texts[first..<min(first + batch, texts.count)])
      do {
        rows += try encode(texts: part, options: options)
      } catch {
        throw try tooLong(error, part, first, options)
      }
      progress.update(first + part.count)
    }
    return rows
  }

  /// In place of an error about the length of some text of a batch, one that says which and what to do.
  func tooLong(
    _ error: CLIPError, _ texts: [String], _ first: Int, _ options: EncodeOptions
  ) throws(CLIPError) -> CLIPError {
    guard error.status == .limit else { return error }
    for (index, text) in texts.enumerated() {
      do {
        _ = try tokenize([text], options: options)
      } catch {
        let name = "text \(first + index + 1), \(quoted(text))"
        guard error.status == .limit, !options.truncate else {
          return CLIPError(error.status, "\(name): \(error.message)")
        }
        return CLIPError(
          error.status,
          "\(name), has more tokens than the model's \(info.contextLength): use --truncate to cut such texts")
      }
    }
    return error
  }
}
