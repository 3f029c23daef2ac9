/// An image to embed: its name in the output, and where it is stored.
struct ImageInput {
  let name: ByteString
  let file: ImageFile

  init(_ path: ByteString) {
    name = path
    file = ImageFile(path: path.bytes)
  }

  private init(_ name: ByteString, _ file: ImageFile) {
    self.name = name
    self.file = file
  }

  /// The images in a tar archive in order, named "<archive>/<name>". Other members are counted in `leftOut`. If the
  /// archive is truncated, also the reason.
  static func members(
    of archive: ByteString, endings: Set<String>, leftOut: inout [String: Int]
  ) -> (images: [ImageInput], problem: CLIPError?) {
    var images: [ImageInput] = []
    var others: [String: Int] = [:]
    do throws(CLIPError) {
      try ImageFile.visit(archive: archive.bytes) { name, file in
        let name = ByteString(name)
        if endings.contains(name.fileExtension) {
          images.append(ImageInput(archive.appending(name.bytes), file))
        } else {
          others[name.fileExtension, default: 0] += 1
        }
        return true
      }
      leftOut.merge(others, uniquingKeysWith: +)
      return (images, nil)
    } catch {
      leftOut.merge(others, uniquingKeysWith: +)
      return (images, error)
    }
  }
}

/// The images found at some paths.
struct FoundImages {
  var inputs: [ImageInput] = []
  var skipped: [Skipped] = []
  /// The number of files and members that are not images, by name ending.
  var leftOut: [String: Int] = [:]

  var images: [ByteString] { inputs.map(\.name) }

  /// "3 .mov, 1 .txt, 2 without an ending"; the most frequent first.
  var leftOutDescribed: String {
    leftOut.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { ending, count in
      ending.isEmpty ? "\(count) without an ending" : "\(count) .\(visible(ending))"
    }.joined(separator: ", ")
  }

  var leftOutJSON: JSON { .object(leftOut.sorted { $0.key < $1.key }.map { (key: $0.key, value: .integer($0.value)) }) }
}

/// The images at `paths`: files, folders and tar archives. Reports what is left out. Throws if there is no image.
func findImages(_ paths: [ByteString], _ runtime: Runtime) throws(CLIPError) -> FoundImages {
  let endings = runtime.imageEndings
  let walk = ImageWalk(paths, endings: endings)
  var found = FoundImages(skipped: walk.skipped, leftOut: walk.leftOut)
  found.inputs.reserveCapacity(walk.images.count)
  for path in walk.images {
    guard path.fileExtension == "tar", !endings.contains("tar") else {
      found.inputs.append(ImageInput(path))
      continue
    }
    let (images, problem) = ImageInput.members(of: path, endings: endings, leftOut: &found.leftOut)
    found.inputs += images
    if let problem {
      let entry = Skipped(path: path, reason: problem.message)
      entry.report()
      found.skipped.append(entry)
    }
  }
  if !found.leftOut.isEmpty { Console.shared.line("Left out: \(found.leftOutDescribed).") }
  guard !found.inputs.isEmpty else { throw CLIPError("there is no image to read") }
  return found
}
