import Foundation
import Support

// make-model NAME: writes the folder of a reference model in build/models, once, and prints its path.
// make-model NAME FOLDER: writes it there.
let arguments = CommandLine.arguments.dropFirst()
guard let name = arguments.first, arguments.count <= 2 else {
  FileHandle.standardError.write(Data("usage: make-model NAME [FOLDER]\n".utf8))
  exit(2)
}
do {
  if arguments.count == 2, let folder = arguments.last {
    try ModelFolder.write(Manifest(name), to: URL(filePath: folder))
  } else {
    print(try ModelFolder.reference(name).path)
  }
} catch {
  FileHandle.standardError.write(Data("make-model: \(error)\n".utf8))
  exit(1)
}
