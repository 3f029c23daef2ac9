import CClip

extension Model {
  /// Embeds pictures in batches. Calls `use` with the index in `paths` and the embedding of each good
  /// one, in order; the others are reported and returned.
  func embed(
    images paths: [ByteString], batch: Int, threads: Int, flags: EncodeFlags = [],
    _ use: (Int, ArraySlice<Float>) -> Void
  ) throws(Failure) -> [Skipped] {
    let loader = try ImageLoader(self, paths, batch: batch, threads: threads, flags: flags)
    defer { loader.stop() }
    let progress = ProgressBar("Pictures", total: paths.count)
    defer { progress.finish() }
    var skipped: [Skipped] = []
    var done = 0
    while let (indices, pixels, failed) = loader.take() {
      for (index, reason) in failed {
        let entry = Skipped(path: paths[index], reason: reason)
        entry.report()
        skipped.append(entry)
      }
      if !indices.isEmpty {
        let rows = try encode(pixels: pixels, count: indices.count, flags: flags)
        for (row, index) in indices.enumerated() { use(index, rows[(row * width)..<((row + 1) * width)]) }
      }
      loader.release()
      done += indices.count + failed.count
      progress.update(done)
    }
    return skipped
  }

  /// Embeds texts in batches: `[texts.count, width]` numbers.
  func embed(texts: [ByteString], batch: Int, flags: EncodeFlags) throws(Failure) -> [Float] {
    let progress = ProgressBar("Texts", total: texts.count)
    defer { progress.finish() }
    var rows: [Float] = []
    rows.reserveCapacity(texts.count * width)
    for first in stride(from: 0, to: texts.count, by: batch) {
      let part = Array(texts[first..<min(first + batch, texts.count)])
      do {
        rows += try encode(texts: part, flags: flags)
      } catch {
        throw try tooLong(error, part, first, flags)
      }
      progress.update(first + part.count)
    }
    return rows
  }

  /// In place of an error about the length of some text of a batch, one that says which and what to do.
  func tooLong(
    _ error: Failure, _ texts: [ByteString], _ first: Int, _ flags: EncodeFlags
  ) throws(Failure) -> Failure {
    guard error.status == CLIP_LIMIT else { return error }
    for (index, text) in texts.enumerated() {
      do {
        _ = try tokenize(text, flags: flags)
      } catch {
        let name = "text \(first + index + 1), \(quoted(text.text))"
        guard error.status == CLIP_LIMIT, !flags.contains(.truncate) else {
          return Failure("\(name): \(error.message)", status: error.status)
        }
        return Failure(
          "\(name), has more tokens than the model's \(info.context_length): use --truncate to cut such texts",
          status: error.status)
      }
    }
    return error
  }
}
