import Foundation
import Support

// make-model NAME: writes the folder of a reference model in build/models, once, and prints its path.
// make-model NAME FOLDER: writes it there; "small" is a model of a few thousand weights, "small-32" one
//   whose embeddings are as wide as rn-tiny's, "grey" one for the encoder of Tests/C/plugins/grey.h,
//   "siglip-text" SigLIP's text tower with a SentencePiece model.
// make-model index FOLDER: writes the index of a checkpoint that is one shard.
let arguments = Array(CommandLine.arguments.dropFirst())

func fail(_ message: String, _ code: Int32) -> Never {
  FileHandle.standardError.write(Data("\(message)\n".utf8))
  exit(code)
}

func small(embedding: Int = 8) -> Manifest {
  var model = SmallModel()
  model.imageSize = 16
  model.patch = 8
  model.visionWidth = 8
  model.headWidth = 8
  model.context = 12
  model.vocabulary = 520
  model.textWidth = 8
  model.embedding = embedding
  return model.manifest
}

func writeIndex(of folder: URL) throws {
  let shard = "model-00001-of-00001.safetensors"
  let names = try Safetensors.read(folder.appending(path: shard)).keys
  let map = Dictionary(uniqueKeysWithValues: names.map { ($0, shard) })
  try ModelFolder.writeJSON(
    ["metadata": ["total_size": 0], "weight_map": map], to: folder.appending(path: "model.safetensors.index.json"))
}

do {
  switch arguments.count {
  case 1:
    print(try ModelFolder.reference(arguments[0]).path)
  case 2:
    let folder = URL(filePath: arguments[1])
    switch arguments[0] {
    case "index": try writeIndex(of: folder)
    case "small": try ModelFolder.write(small(), to: folder)
    case "small-32": try ModelFolder.write(small(embedding: 32), to: folder)
    case "grey": try ModelFolder.writeGrey(to: folder)
    case "siglip-text":
      let made = try TextModel(.siglip).write()
      try FileManager.default.copyItem(at: made.url, to: folder)
    default: try ModelFolder.write(Manifest(arguments[0]), to: folder)
    }
  default:
    fail("usage: make-model NAME [FOLDER]", 2)
  }
} catch {
  fail("make-model: \(error)", 1)
}
