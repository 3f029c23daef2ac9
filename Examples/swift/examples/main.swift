// examples: what the examples of the other languages do, a command each. The sixth, a plugin, is a library of its own
// in Swift: Examples/plugins/encoder/swift.
//
//   examples embed-and-compare MODEL IMAGE IMAGE...
//   examples zero-shot MODEL IMAGE LABEL...
//   examples search-folder MODEL FOLDER INDEX TEXT
//   examples swap-under-load MODEL IMAGE
//   examples train MODEL PAIRS OUTPUT
import CLIP
import CLIPIndex
import CLIPTools
import Foundation
import Synchronization

/// Which images are most alike?
func embedAndCompare(_ folder: String, _ paths: [String]) throws {
  let runtime = try Runtime(threads: 2)
  let model = try Model(folder, runtime: runtime)
  let rows = try model.encode(images: paths.map { try Image($0, runtime: runtime) })
  let logits = try model.similarity(images: rows, texts: rows)
  let info = model.info
  var pairs: [(cosine: Float, a: String, b: String)] = []
  for i in paths.indices {
    for j in paths.indices where j > i {
      let logit = logits[i * paths.count + j]
      pairs.append((cosine: (logit - (info.logitBias ?? 0)) / info.logitScale, a: paths[i], b: paths[j]))
    }
  }
  for pair in pairs.sorted(by: { $0.cosine > $1.cosine }) { print(pair.cosine, pair.a, pair.b) }
}

/// Which of some labels fits an image?
func zeroShot(_ folder: String, _ path: String, _ labels: [String]) throws {
  let runtime = try Runtime(threads: 2)
  let model = try Model(folder, runtime: runtime)
  let image = try model.encode(images: [Image(path, runtime: runtime)])
  let texts = try model.encode(texts: labels.map { "a photo of a \($0)" })
  let probabilities = try model.classify(images: image, texts: texts)
  if let best = labels.indices.max(by: { probabilities[$0] < probabilities[$1] }) {
    print(probabilities[best], labels[best])
  }
}

/// Finds images of a folder by a text; the second run embeds only what is new.
func searchFolder(_ folder: String, _ images: String, _ file: String, _ text: String) throws {
  let runtime = try Runtime(threads: 2)
  let model = try Model(folder, runtime: runtime)
  let format = EmbeddingIndex.Format(
    fingerprint: try EmbeddingIndex.fingerprint(of: folder), width: model.info.embeddingWidth)
  let index = try EmbeddingIndex(file, runtime: runtime, format: format)
  var known: Set<[UInt8]> = []
  try index.forEach { known.insert($0.key).inserted }
  let names = try FileManager.default.subpathsOfDirectory(atPath: images).sorted()
  let paths = names.map { images + "/" + $0 }.filter {
    runtime.imageEndings.contains(($0 as NSString).pathExtension.lowercased()) && !known.contains(Array($0.utf8))
  }
  var keys: [[UInt8]] = []
  var embeddings: [Float] = []
  try model.encode(files: paths.map { ImageFile($0) }) { i, result in
    switch result {
    case .success(let embedding):
      keys.append(Array(paths[i].utf8))
      embeddings += embedding
    case .failure(let error): print(error)
    }
    return true
  }
  try index.put(keys, embeddings: embeddings)
  print("\(keys.count) new, \(try index.count()) in all")
  for match in try index.search(try model.encode(texts: [text]), count: 3) {
    print(match.score, String(decoding: match.key, as: UTF8.self))
  }
}

/// Replaces the towers of a model while threads use it.
func swapUnderLoad(_ folder: String, _ path: String) async throws {
  let runtime = try Runtime()
  let model = try Model(folder, runtime: runtime)
  let image = try Image(path, runtime: runtime)
  let expected = try model.encode(images: [image])
  let stop = Atomic(false)
  let calls = Atomic(0)
  let wrong = Atomic(0)
  let threads = (0..<2).map { _ in
    Thread {
      while !stop.load(ordering: .relaxed) {
        if (try? model.encode(images: [image])) != expected { wrong.add(1, ordering: .relaxed) }
        calls.add(1, ordering: .relaxed)
      }
    }
  }
  for thread in threads { thread.start() }
  for _ in 0..<10 { try model.swap() }  // the same weights again; a tower and a folder bring others
  stop.store(true, ordering: .relaxed)
  while threads.contains(where: { !$0.isFinished }) { try await Task.sleep(for: .milliseconds(1)) }
  print("10 swaps, \(calls.load(ordering: .relaxed)) calls meanwhile, \(wrong.load(ordering: .relaxed)) wrong")
}

/// Trains a model for a hundred steps and exports it.
func train(_ folder: String, _ pairs: String, _ output: String) throws {
  let runtime = try Runtime(threads: 2)
  let model = try Model(folder, runtime: runtime, options: .withoutWeights)
  var options = TrainerOptions()
  options.learningRate = 1e-4
  options.weightDecay = 0.1
  options.warmupSteps = 10
  let trainer = try Trainer(model, options: options)
  var samples = DatasetOptions()
  samples.batchSize = 8
  samples.epochs = 0
  samples.seed = 1
  samples.flags = [.fullBatches]
  samples.captionFields = ["en"]
  samples.imagePipeline = try Pipeline(#"[{"op": "random_horizontal_flip"}]"#, runtime: runtime)
  let dataset = try Dataset([pairs], runtime: runtime, model: model, options: samples)
  var losses: [Double] = []
  while losses.count < 100, let batch = try dataset.next() {
    losses.append(try trainer.step(TrainingBatch(images: .pixels(batch.pixels), texts: .tokens(batch.tokens))).loss)
  }
  try trainer.export(output)
  print(
    "loss \(losses.prefix(10).reduce(0, +) / 10) to \(losses.suffix(10).reduce(0, +) / 10) in \(losses.count) steps")
}

let arguments = Array(CommandLine.arguments.dropFirst())
do {
  switch (arguments.first, arguments.count) {
  case ("embed-and-compare", 4...): try embedAndCompare(arguments[1], Array(arguments[2...]))
  case ("zero-shot", 4...): try zeroShot(arguments[1], arguments[2], Array(arguments[3...]))
  case ("search-folder", 5): try searchFolder(arguments[1], arguments[2], arguments[3], arguments[4])
  case ("swap-under-load", 3): try await swapUnderLoad(arguments[1], arguments[2])
  case ("train", 4): try train(arguments[1], arguments[2], arguments[3])
  default:
    FileHandle.standardError.write(Data("usage: see examples/main.swift\n".utf8))
    exit(2)
  }
} catch {
  FileHandle.standardError.write(Data("examples: \(error)\n".utf8))
  exit(1)
}
