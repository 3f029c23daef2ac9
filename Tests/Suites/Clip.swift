import CClip
@_spi(Handles) import CLIP
@_spi(Handles) import CLIPTools
import Foundation
import Support

/// Throws what clip_last_error says of a raw call that failed.
func check(_ status: clip_status) throws {
  if status != CLIP_OK { throw CLIPError(CLIPStatus(rawValue: status.rawValue), String(cString: clip_last_error())) }
}

func size<T>(of type: T.Type) -> UInt32 { UInt32(MemoryLayout<T>.size) }

/// The status of what `body` throws; nil when it throws nothing.
func status(_ body: () throws -> Void) -> CLIPStatus? {
  do {
    try body()
    return nil
  } catch { return (error as? CLIPError)?.status }
}

/// What a runtime says to its log.
final class LogBook: @unchecked Sendable {
  private let lock = NSLock()
  private var kept: [String] = []
  var lines: [String] { lock.withLock { kept } }
  var handler: LogHandler { { _, message in self.lock.withLock { self.kept.append(message) } } }
}

extension Runtime {
  func load(_ url: URL) throws -> Image { try Image(url.path, runtime: self) }
  func decode(_ data: Data) throws -> Image { try Image(decoding: Array(data), runtime: self) }
}

extension Model {
  /// With a runtime of its own where none is given.
  convenience init(
    _ folder: URL, runtime: Runtime? = nil, towers: Towers? = nil, storage: Storage = .float32,
    options: OpenOptions = []
  ) throws {
    try self.init(
      folder.path, runtime: try runtime ?? Runtime(), towers: towers, storage: storage, options: options)
  }

  var width: Int { info.embeddingWidth }
  var imageNumbers: Int { info.pixelCount }
  var context: Int { info.contextLength }

  func export(
    _ folder: URL, checkpoint: URL? = nil, average: Bool = false, layout: Layout = .asOpened,
    storage: Storage = .float32
  ) throws {
    try export(
      folder.path, checkpoint: checkpoint?.path, options: .init(average: average, layout: layout, storage: storage))
  }
}

extension Trainer {
  /// As below, and not with the module's own defaults.
  convenience init(_ model: Model) throws { try self.init(model) { _ in } }

  convenience init(
    _ model: Model, losses: [LossTerm] = [], groups: [TensorGroup] = [], lowRank: LowRank? = nil,
    _ change: (inout TrainerOptions) -> Void = { _ in }
  ) throws {
    var options = TrainerOptions()
    options.learningRate = 1e-3
    options.seed = 3
    options.losses = losses
    options.groups = groups
    options.lowRank = lowRank
    change(&options)
    try self.init(model, options: options)
  }

  @discardableResult
  func step(pixels: [Float], tokens: [Int32], teacher: [Float]? = nil) throws -> TrainingMetrics {
    try step(
      TrainingBatch(images: .pixels(pixels), texts: .tokens(tokens), teacher: teacher.map { .logits($0) }))
  }

  func save(_ folder: URL, keep: Int = 0, note: String? = nil) throws {
    try save(folder.path, keep: keep, note: note)
  }

  func resume(_ path: URL) throws { try resume(path.path) }

  /// All float weights of a manifest, end to end.
  func all(_ kind: TensorKind, _ manifest: Manifest) throws -> [Float] {
    try manifest.tensors.filter { $0.rule != "count" }.flatMap { try read($0.name, kind) }
  }

  func export(
    _ folder: URL, average: Bool = false, layout: Layout = .asOpened, storage: Storage = .float32
  ) throws {
    try export(folder.path, options: .init(average: average, layout: layout, storage: storage))
  }
}
