import CClip

/// The towers of a model.
public struct Towers: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let image = Towers(rawValue: UInt32(CLIP_TOWER_IMAGE))
  public static let text = Towers(rawValue: UInt32(CLIP_TOWER_TEXT))
  public static let both: Towers = [.image, .text]
}

/// The element type of the weights of linear layers, convolutions and token embeddings in memory. Cosines are between
/// an embedding with it and one with float32 weights.
public enum Storage: UInt32, Sendable, CaseIterable {
  case float32 = 0
  /// Half the memory; cosine about 0.99999. A weight beyond 65504 is an error.
  case float16 = 1
  /// Half the memory; cosine about 0.9999.
  case bfloat16 = 2
  /// A quarter of the memory; cosine about 0.9995.
  case int8 = 3
  /// The memory of `int8` in less time, cosine about 0.999.
  case int8Fast = 4

  var value: clip_storage { clip_storage(rawValue) }
}

/// The properties of a model at one moment.
public struct ModelInfo: Hashable, Sendable {
  /// The open towers.
  public let towers: Towers
  /// Elements of one embedding.
  public let embeddingWidth: Int
  /// Pixels of the image tower's input; 0 without that tower.
  public let imageWidth: Int
  public let imageHeight: Int
  /// The most tokens of a text, including start and end tokens; 0 without the text tower.
  public let contextLength: Int
  /// The number of token ids, which begin at 0.
  public let vocabularySize: Int
  /// The factor from cosines to logits, such as 100.
  public let logitScale: Float
  /// nil for a model without a bias.
  public let logitBias: Float?
  /// The storage of the image tower, or of the text tower if it is the only one.
  public let storage: Storage
  /// The layout of the model folder: "huggingface", "open_clip" or "clipcore".
  public let layout: String
  /// The number of weights.
  public let imageParameters: Int
  public let textParameters: Int
  /// Memory in use for weights, including packed copies, and for buffers kept between calls. Weights that are not
  /// loaded yet do not count, so it rises with the first calls.
  public let memoryBytes: Int
  /// The most pixels of the smaller side after the resize of preprocessing; 0 without a resize or an image tower.
  public let resizedSide: Int

  /// Elements of one preprocessed image: 3 · height · width.
  public var pixelCount: Int { 3 * imageHeight * imageWidth }

  init(_ handle: OpaquePointer) throws(CLIPError) {
    var info = sized(clip_model_info(), \.struct_size)
    try check(clip_model_describe(handle, &info))
    towers = Towers(rawValue: info.towers)
    embeddingWidth = Int(info.embedding_width)
    imageWidth = Int(info.image_width)
    imageHeight = Int(info.image_height)
    contextLength = Int(info.context_length)
    vocabularySize = Int(info.vocabulary_size)
    logitScale = info.logit_scale
    logitBias = info.has_logit_bias != 0 ? info.logit_bias : nil
    storage = Storage(rawValue: UInt32(info.storage.rawValue)) ?? .float32
    layout = string(info.layout)
    imageParameters = Int(clamping: info.image_parameters)
    textParameters = Int(clamping: info.text_parameters)
    memoryBytes = Int(clamping: info.memory_bytes)
    resizedSide = Int(info.resized_side)
  }
}

/// An open CLIP model: an image tower, a text tower, or both.
///
/// All calls may be made from any thread and at the same time.
public final class Model: @unchecked Sendable {
  public let runtime: Runtime
  /// The properties when the model was opened; `describe` has the current ones.
  public let info: ModelInfo
  @_spi(Handles) public let handle: OpaquePointer

  /// How the files of a model are read.
  public struct OpenOptions: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Tensors of the weight file that the model does not use cause a warning instead of an error.
    public static let allowExtraTensors = OpenOptions(rawValue: UInt32(CLIP_OPEN_ALLOW_EXTRA_TENSORS))
    /// Checks the files but loads no weights: for training, preprocessing and tokens. Encoding is `unsupported`.
    public static let withoutWeights = OpenOptions(rawValue: UInt32(CLIP_OPEN_WITHOUT_WEIGHTS))
  }

  /// Opens a model folder: as downloaded from Hugging Face, in open_clip's layout, or with a clipcore.json that
  /// composes encoders (docs/models.md).
  ///
  /// Float32 weights stored as float32 are loaded in the second call of their tower.
  ///
  /// - Parameters:
  ///   - towers: The towers to open. Weights of others are not read. nil: all in the folder.
  ///   - imageSize: Width and height of the image tower's input in pixels, for which position embeddings are
  ///     interpolated; nil: those of the folder.
  ///   - progress: Progress of loading the weights.
  public init(
    _ folder: String, runtime: Runtime, towers: Towers? = nil, storage: Storage = .float32,
    options: OpenOptions = [], imageSize: (width: Int, height: Int)? = nil, progress: ProgressHandler? = nil
  ) throws(CLIPError) {
    var out: OpaquePointer?
    try withCMemory { memory throws(CLIPError) in
      var open = memory.modelOptions(storage, options, progress)
      open.towers = towers?.rawValue ?? 0
      if let imageSize {
        open.image_width = UInt32(clamping: imageSize.width)
        open.image_height = UInt32(clamping: imageSize.height)
      }
      try check(clip_model_open(runtime.handle, try memory.string(folder, "folder"), &open, &out))
    }
    guard let out else { throw CLIPError(.plugin, "clip_model_open returned no model") }
    do throws(CLIPError) {
      info = try ModelInfo(out)
    } catch {
      clip_model_release(out)
      throw error
    }
    handle = out
    self.runtime = runtime
  }

  deinit { clip_model_release(handle) }

  /// Writes random initial weights into a model folder with a configuration but without weights, to train from scratch.
  /// The same seed gives the same file.
  public static func initialize(_ folder: String, seed: UInt64, runtime: Runtime) throws(CLIPError) {
    try withCMemory { memory throws(CLIPError) in
      try check(clip_model_initialize(runtime.handle, try memory.string(folder, "folder"), seed))
    }
  }

  /// The current properties of the model, which a swap or a trainer's update may change.
  public func describe() throws(CLIPError) -> ModelInfo { try ModelInfo(handle) }

  /// The id of a tower's encoder, such as "clipcore.encoder.clip-vit"; "" if the tower is not open.
  public func encoder(_ tower: Towers) -> String {
    string { clip_model_encoder(handle, tower.rawValue, $0, $1) }
  }

  /// Replaces towers while other threads use the model: their calls end with the towers that they began with. An error
  /// leaves the model unchanged.
  ///
  /// After a swap to other sizes of images or texts, calls with pixels or tokens throw `mismatch` until
  /// `EncodeOptions.sizes` is the new result of `describe`.
  ///
  /// - Parameters:
  ///   - towers: Open towers; nil: all open towers.
  ///   - folder: nil: each tower's own folder, with the plugins that are loaded now.
  ///   - storage: nil: the storage and options with which each tower was opened.
  public func swap(
    _ towers: Towers? = nil, from folder: String? = nil, storage: Storage? = nil, options: OpenOptions = [],
    progress: ProgressHandler? = nil
  ) throws(CLIPError) {
    try withCMemory { memory throws(CLIPError) in
      let folder = try memory.string(folder, "folder")
      let bits = towers?.rawValue ?? 0
      guard let storage else {
        return try check(clip_model_swap(handle, bits, folder, nil))
      }
      var open = memory.modelOptions(storage, options, progress)
      try check(clip_model_swap(handle, bits, folder, &open))
    }
  }
}

extension CMemory {
  fileprivate func modelOptions(
    _ storage: Storage, _ options: Model.OpenOptions, _ progress: ProgressHandler?
  ) -> clip_model_options {
    var open = sized(clip_model_options(), \.struct_size)
    open.storage = storage.value
    open.flags = options.rawValue
    open.progress = self.progress(progress)
    return open
  }
}
