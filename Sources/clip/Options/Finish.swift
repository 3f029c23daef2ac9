import ArgumentParser

/// Ends a command whose results are written: with exit code 1 when images were left out.
func finish(skipped: [Skipped], of total: Int) throws {
  guard !skipped.isEmpty else { return }
  Console.shared.line("\(skipped.count) of \(counted(total, "image")) skipped.")
  throw ExitCode(1)
}

/// The images at `paths`, and the input that could not be used. Throws when there is none at all.
func findImages(_ paths: [ByteString], _ runtime: Runtime) throws(CLIPError) -> (
  images: [ByteString], skipped: [Skipped]
) {
  let walk = ImageWalk(paths, endings: runtime.imageEndings)
  guard !walk.images.isEmpty else { throw CLIPError("there is no image to read") }
  return (walk.images, walk.skipped)
}
