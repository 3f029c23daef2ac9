import CClip

/// The towers of a model.
public struct Towers: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let image = Towers(rawValue: UInt32(CLIP_TOWER_IMAGE))
  public static let text = Towers(rawValue: UInt32(CLIP_TOWER_TEXT))
  public static let both: Towers = [.image, .text]
}

/// How the weights of linear layers, convolutions and token embeddings are held in memory. The cosine is that of an
/// embedding with the one from float32 weights.
public enum Storage: UInt32, Sendable, CaseIterable {
  case float32 = 0
  /// Half the memory, cosine about 0.99999. A weight beyond 65504 is an error.
  case float16 = 1
  /// Half the memory, cosine about 0.9999.
  case bfloat16 = 2
  /// A quarter of the memory, cosine about 0.9995.
  case int8 = 3

  var value: clip_storage { clip_storage(rawValue) }
}

/// Facts about a model at one moment.
public struct ModelInfo: Hashable, Sendable {
  /// Those that are open.
  public let towers: Towers
  /// Elements of one embedding.
  public let embeddingWidth: Int
  /// Pixels of the image tower's input; 0 without that tower.
  public let imageWidth: Int
  public let imageHeight: Int
  /// The most tokens of a text, start and end token included; 0 without the text tower.
  public let contextLength: Int
  /// Token ids are from 0 up to this.
  public let vocabularySize: Int
  /// The factor of cosines in logits, such as 100.
  public let logitScale: Float
  /// nil for a model without one.
  public let logitBias: Float?
  /// Of the image tower, or of the text tower where that is the only one.
  public let storage: Storage
  /// How the folder names its files and tensors: "huggingface", "open_clip" or "clipcore".
  public let layout: String
  /// Elements of the weights.
  public let imageParameters: Int
  public let textParameters: Int
  /// Memory held now for weights, packed copies included, and for buffers that are kept between calls. Weights that are
  /// still in their file are not counted, so that it rises with the first calls.
  public let memoryBytes: Int
  /// Pixels of an image's smaller side after the resize of preprocessing, at most; 0 where images are cropped alone, and
  /// without the image tower.
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
/// All calls may be made from any thread, also at the same time.
public final class Model: @unchecked Sendable {
  public let runtime: Runtime
  /// Facts about the model as it was opened; `describe` has those of now.
  public let info: ModelInfo
  @_spi(Handles) public let handle: OpaquePointer

  /// How the files of a model are read.
  public struct OpenOptions: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Tensors of the weight file that the model does not use are a warning, not an error.
    public static let allowExtraTensors = OpenOptions(rawValue: UInt32(CLIP_OPEN_ALLOW_EXTRA_TENSORS))
    /// The files are checked and no weights are held: for training, preprocessing and tokens. Encoding is `unsupported`.
    public static let withoutWeights = OpenOptions(rawValue: UInt32(CLIP_OPEN_WITHOUT_WEIGHTS))
  }

  /// Opens a model folder: as downloaded from Hugging Face, in open_clip's layout, or one with a clipcore.json that
  /// composes encoders (docs/models.md).
  ///
  /// Float32 weights that are held as float32 stay in their file until the second call of their tower.
  ///
  /// - Parameters:
  ///   - towers: Those that are opened; the weights of others are not read. nil: all that the folder has.
  ///   - imageSize: Width and height of the image tower's input in pixels; nil: as the folder says. Position embeddings
  ///     are interpolated.
  ///   - progress: Of loading the weights.
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

  /// Writes random initial weights into a model folder that has its configuration but no weights: the start of training
  /// from scratch. The same seed makes the same file.
  public static func initialize(_ folder: String, seed: UInt64, runtime: Runtime) throws(CLIPError) {
    try withCMemory { memory throws(CLIPError) in
      try check(clip_model_initialize(runtime.handle, try memory.string(folder, "folder"), seed))
    }
  }

  /// Facts about the model at this moment: a swap and an update by a trainer change them.
  public func describe() throws(CLIPError) -> ModelInfo { try ModelInfo(handle) }

  /// The id of the plugin that built a tower, such as "clipcore.encoder.clip-vit"; "" where it is not open.
  public func encoder(_ tower: Towers) -> String {
    string { clip_model_encoder(handle, tower.rawValue, $0, $1) }
  }

  /// Replaces towers while other threads use the model: their calls finish with the towers that they began with. On an
  /// error the model is unchanged.
  ///
  /// After a swap to other sizes of images or texts, calls with pixels or tokens throw `mismatch` until
  /// `EncodeOptions.sizes` is what `describe` has then.
  ///
  /// - Parameters:
  ///   - towers: Open ones; nil: all that are open.
  ///   - folder: nil: each tower is opened from the folder it came from, with the plugins that are loaded now.
  ///   - storage: nil: those that each tower was opened with; with options or progress, that of the model's information.
  public func swap(
    _ towers: Towers? = nil, from folder: String? = nil, storage: Storage? = nil, options: OpenOptions = [],
    progress: ProgressHandler? = nil
  ) throws(CLIPError) {
    try withCMemory { memory throws(CLIPError) in
      let folder = try memory.string(folder, "folder")
      let bits = towers?.rawValue ?? 0
      guard storage != nil || !options.isEmpty || progress != nil else {
        return try check(clip_model_swap(handle, bits, folder, nil))
      }
      let kept = try describe().storage
      var open = memory.modelOptions(storage ?? kept, options, progress)
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
