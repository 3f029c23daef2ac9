/// Embeds images as an index has them: large ones decoded at a fraction of their size.
struct ImageEncoder {
  let batch: Int
  let threads: Int
  var options = EncodeOptions()

  /// Calls `receive` for each image in order, with its embedding or why there is none, until it returns false. Returns
  /// whether all were received.
  func embed(
    _ paths: [ByteString], _ model: Model,
    _ receive: (Int, Result<[Float], CLIPError>) throws(CLIPError) -> Bool
  ) throws(CLIPError) -> Bool {
    for (position, path) in paths.enumerated() {
      var result: Result<[Float], CLIPError>
      do throws(CLIPError) {
        let image = try Image(try path.utf8, runtime: model.runtime)
        result = .success(try model.encode(images: [image], options: options))
      } catch {
        result = .failure(error)
      }
      guard try receive(position, result) else { return false }
    }
    return true
  }
}
