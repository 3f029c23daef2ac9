// embed: which of some captions fits a picture? Swift over the C header, which the module map beside
// this file makes a module of.
//
//   swiftc -parse-as-library -I . $(pkg-config --cflags-only-I clipcore | sed 's/-I/-Xcc &/') embed.swift -lclipcore
//   ./embed MODEL PICTURE CAPTION...
import CClip
import Foundation

struct Failure: Error, CustomStringConvertible {
  let description: String
}

/// Throws the library's words where a call failed.
func need(_ status: clip_status) throws {
  if status != CLIP_OK { throw Failure(description: String(cString: clip_last_error())) }
}

/// A struct of the interface, its size set and all else zero.
func sized<T>(_ value: T, _ path: WritableKeyPath<T, UInt32>) -> T {
  var value = value
  value[keyPath: path] = UInt32(MemoryLayout<T>.size)
  return value
}

func run(model folder: String, picture: String, captions: [String]) throws {
  var options = sized(clip_runtime_options(), \.struct_size)
  options.threads = 2
  var runtime: OpaquePointer?
  try need(clip_runtime_create(&options, &runtime))
  defer { clip_runtime_release(runtime) }

  var model: OpaquePointer?
  try need(clip_model_open(runtime, folder, nil, &model))
  defer { clip_model_close(model) }
  var info = sized(clip_model_info(), \.struct_size)
  try need(clip_model_describe(model, &info))
  let width = Int(info.embedding_width)

  var image: OpaquePointer?
  try need(clip_image_load(runtime, picture, &image))
  defer { clip_image_free(image) }
  var view = sized(clip_image_view(), \.struct_size)
  try need(clip_image_get_view(image, &view))

  var pictures = [Float](repeating: 0, count: width)
  var texts = [Float](repeating: 0, count: width * captions.count)
  var chances = [Float](repeating: 0, count: captions.count)
  try need(clip_encode_image(model, &view, 1, nil, &pictures))
  let copies = captions.map { UnsafePointer<CChar>(strdup($0)) }
  defer { for copy in copies { free(UnsafeMutablePointer(mutating: copy)) } }
  try need(clip_encode_text(model, copies, captions.count, nil, &texts))
  try need(clip_classify(model, pictures, 1, texts, captions.count, &chances))
  for (chance, caption) in zip(chances, captions) { print(String(format: "%5.1f %%  ", 100 * chance) + caption) }
}

@main struct Embed {
  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    guard arguments.count >= 3 else {
      FileHandle.standardError.write(Data("usage: embed MODEL PICTURE CAPTION...\n".utf8))
      exit(2)
    }
    do {
      try run(model: arguments[0], picture: arguments[1], captions: Array(arguments[2...]))
    } catch {
      FileHandle.standardError.write(Data("embed: \(error)\n".utf8))
      exit(1)
    }
  }
}
