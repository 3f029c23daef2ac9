extension Model {
  /// Elements of one embedding.
  var width: Int { info.embeddingWidth }

  /// Embeds images and calls `use` for each in order, from `first` on, with its embedding or the error, until `use`
  /// throws or a signal watched by `Interruption` asks to stop. Returns whether all images were done.
  func embed(
    images: [ImageInput], from first: Int = 0, options: EncodeFilesOptions,
    _ use: (_ index: Int, _ result: Result<UnsafeBufferPointer<Float>, CLIPError>) throws(CLIPError) -> Void
  ) throws(CLIPError) -> Bool {
    let bar = ProgressBar("Images", total: images.count, from: first)
    defer { bar.finish() }
    var options = options
    options.progress = { done, _ in
      bar.update(first + done)
      return !Interruption.isAsked
    }
    var failure: CLIPError?
    do throws(CLIPError) {
      try withoutActuallyEscaping(use) { use throws(CLIPError) in
        try encode(files: images[first...].map(\.file), options: options) { index, result in
          do throws(CLIPError) { try use(first + index, result) } catch { failure = error }
          return failure == nil
        }
      }
    } catch {
      if let failure { throw failure }
      guard error.status == .cancelled else { throw error }
      return false
    }
    return true
  }

  /// Embeds images. Those without an embedding are reported and returned.
  func embed(
    images: [ImageInput], options: EncodeFilesOptions, _ use: (Int, [Float]) -> Void
  ) throws(CLIPError) -> [Skipped] {
    var skipped: [Skipped] = []
    _ = try embed(images: images, options: options) { (index, result) throws(CLIPError) in
      switch result {
      case .success(let embedding): use(index, Array(embedding))
      case .failure(let error):
        let entry = Skipped(path: images[index].name, reason: error.message)
        entry.report()
        skipped.append(entry)
      }
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
      rows += try embed(texts: part, from: first, options: options)
      progress.update(first + part.count)
    }
    return rows
  }

  /// One batch. `first` is the index of its first text, for messages.
  func embed(texts: [String], from first: Int, options: EncodeOptions) throws(CLIPError) -> [Float] {
    do { return try encode(texts: texts, options: options) } catch {
      throw try tooLong(error, texts, first, options)
    }
  }

  /// Replaces the error of a batch that a text is too long by one that names the text and the remedy.
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
