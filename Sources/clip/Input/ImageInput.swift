/// An image to embed: what it is called in the output, and where it is stored.
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

  /// The images in a tar archive, in their order, called "<archive>/<name>"; what is not taken is counted in `leftOut`.
  /// Where the archive is truncated, those before are given, and the reason.
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

/// What there is to embed at some paths.
struct FoundImages {
  var inputs: [ImageInput] = []
  var skipped: [Skipped] = []
  /// How many files of folders and archives are no images, by their endings.
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

/// The images at `paths`: files, folders and tar archives. Tells what is not taken. Throws when there is none at all.
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
