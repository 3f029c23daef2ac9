import CClip

/// What `clip_analyze` measured, with the pairs in their order.
struct Analysis {
  let facts: clip_analysis
  let pairs: [clip_pair_analysis]

  /// Indices of the pairs, the hardest first.
  var hardest: [Int] {
    pairs.indices.sorted { (pairs[$1].hardness, $0) < (pairs[$0].hardness, $1) }
  }
}

extension Model {
  /// Measures pairs of embeddings `[n, width]` at the model's own temperature.
  func analyze(images: [Float], texts: [Float]) throws(Failure) -> Analysis {
    var options = clip_analysis_options()
    options.struct_size = UInt32(MemoryLayout<clip_analysis_options>.size)
    options.logit_scale = Double(try logitScale())
    var facts = clip_analysis()
    facts.struct_size = UInt32(MemoryLayout<clip_analysis>.size)
    let n = images.count / width
    var pairs = [clip_pair_analysis](repeating: clip_pair_analysis(), count: n)
    try check(clip_analyze(runtime.handle, images, texts, n, width, &options, &facts, &pairs))
    return Analysis(facts: facts, pairs: pairs)
  }
}

/// A `clip_pipeline` for texts.
final class TextPipeline {
  private let handle: OpaquePointer

  init(_ runtime: Runtime, _ json: [UInt8], name: String) throws(Failure) {
    guard !json.contains(0) else { throw Failure("\(name): expected JSON, found a NUL byte") }
    var out: OpaquePointer?
    do {
      try check(ByteString(json).withCString { clip_pipeline_create(runtime.handle, $0, &out) })
    } catch {
      throw Failure("\(name): \(error.message)", status: error.status)
    }
    guard let out else { throw Failure("clip_pipeline_create returned no pipeline") }
    handle = out
  }

  deinit { clip_pipeline_release(handle) }

  func vary(_ text: ByteString, seed: UInt64, index: Int) throws(Failure) -> ByteString {
    var out: UnsafeMutablePointer<CChar>?
    try check(text.withCString { clip_augment_text(handle, $0, seed, UInt64(index), &out) })
    defer { clip_text_free(out) }
    return ByteString(string(out))
  }
}

/// The texts of a section of the catalogue, in their order.
struct CatalogueEntry {
  let name: String
  var fields: [(name: String, values: [String])] = []

  subscript(field: String) -> [String] { fields.first { $0.name == field }?.values ?? [] }
}

enum CatalogueReader {
  /// The file of modalities; nil for the installed one.
  static func read(_ path: ByteString?, _ section: String) throws(Failure) -> [CatalogueEntry] {
    var entries: [CatalogueEntry] = []
    let status = withUnsafeMutablePointer(to: &entries) { list in
      withOptionalCString(path) { path in
        clip_catalogue(
          path, section,
          { user, entry, field, value in
            guard let list = user?.assumingMemoryBound(to: [CatalogueEntry].self) else { return }
            let (entry, field) = (string(entry), string(field))
            if list.pointee.last?.name != entry { list.pointee.append(CatalogueEntry(name: entry)) }
            let last = list.pointee.count - 1
            if list.pointee[last].fields.last?.name != field { list.pointee[last].fields.append((field, [])) }
            list.pointee[last].fields[list.pointee[last].fields.count - 1].values.append(string(value))
          }, list)
      }
    }
    try check(status)
    return entries
  }
}

/// One property of the gap between two modalities.
struct PropertyGap {
  let name: String
  let title: String
  let values: (String, String)
  let challenge: String
  let gap: Double
  let weight: Double
}

/// The gap between two modalities: its properties, those that count most first.
struct ModalityGap {
  var score = 0.0
  var level = ""
  var properties: [PropertyGap] = []

  init(_ path: ByteString?, _ a: String, _ b: String) throws(Failure) {
    var info = clip_modality_gap_info()
    info.struct_size = UInt32(MemoryLayout<clip_modality_gap_info>.size)
    var list: [PropertyGap] = []
    let status = withUnsafeMutablePointer(to: &list) { list in
      withOptionalCString(path) { path in
        clip_modality_gap(
          path, a, b, &info,
          { user, gap in
            guard let gap = gap?.pointee else { return }
            user?.assumingMemoryBound(to: [PropertyGap].self).pointee.append(
              PropertyGap(
                name: string(gap.property), title: string(gap.title), values: (string(gap.a), string(gap.b)),
                challenge: string(gap.challenge), gap: gap.gap, weight: gap.weight))
          }, list)
      }
    }
    try check(status)
    score = info.score
    level = withUnsafeBytes(of: info.level) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    properties = list
  }
}
