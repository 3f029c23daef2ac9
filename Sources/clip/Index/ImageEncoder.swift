/// Embeds images as an index has them: large ones decoded at a fraction of their size.
struct ImageEncoder {
  let batch: Int
  let threads: Int

  /// Calls `receive` for each image in order, with its embedding or why there is none, until all are received, it throws,
  /// or a signal asks to end. Returns whether all were received.
  func embed(
    _ paths: [ByteString], _ model: Model,
    _ receive: (_ index: Int, _ result: Result<[Float], CLIPError>) throws(CLIPError) -> Void
  ) throws(CLIPError) -> Bool {
    var options = EncodeFilesOptions()
    options.batchSize = batch
    options.workers = threads
    options.shrink = true
    let bar = ProgressBar("Images", total: paths.count)
    defer { bar.finish() }
    options.progress = { done, _ in
      bar.update(done)
      return !Interruption.isAsked
    }
    var failure: CLIPError?
    do throws(CLIPError) {
      try withoutActuallyEscaping(receive) { receive throws(CLIPError) in
        try model.encode(files: paths.map { ImageFile(path: $0.bytes) }, options: options) { index, result in
          do throws(CLIPError) {
            try receive(index, result.map(Array.init))
            return true
          } catch {
            failure = error
            return false
          }
        }
      }
    } catch {
      if let failure { throw failure }
      guard error.status == .cancelled else { throw error }
      return false
    }
    return true
  }
}
