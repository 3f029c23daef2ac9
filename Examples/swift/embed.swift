// embed: which of some captions fits an image? A SwiftPM package that depends on clipcore; pkg-config says where the
// installed library is.
//
//   export PKG_CONFIG_PATH=/usr/local/lib/pkgconfig
//   swift build && LD_LIBRARY_PATH=/usr/local/lib .build/debug/embed MODEL IMAGE CAPTION...
import CLIP
import Foundation

@main struct Embed {
  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    guard arguments.count >= 3 else {
      FileHandle.standardError.write(Data("usage: embed MODEL IMAGE CAPTION...\n".utf8))
      exit(2)
    }
    do {
      try run(model: arguments[0], image: arguments[1], captions: Array(arguments[2...]))
    } catch {
      FileHandle.standardError.write(Data("embed: \(error)\n".utf8))
      exit(1)
    }
  }

  static func run(model folder: String, image path: String, captions: [String]) throws {
    let runtime = try Runtime(threads: 2)
    let model = try Model(folder, runtime: runtime)
    let image = try model.encode(images: [Image(path, runtime: runtime)])
    let texts = try model.encode(texts: captions)
    let probabilities = try model.classify(images: image, texts: texts)
    for (probability, caption) in zip(probabilities, captions) {
      print(String(format: "%5.1f %%  ", 100 * probability) + caption)
    }
  }
}
