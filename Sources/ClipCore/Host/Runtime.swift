import CClip
import CSystem

/// What models share: threads, plugins, kernels, limits. Immutable except for the plugins, which have their own lock.
final class Runtime {
  let log: Log
  let threads: ThreadPool
  let host: PluginHost
  let kernels: Kernels
  let maxImagePixels: Int
  /// Whether the host set maxImagePixels: then an image's size is not checked against the size of its file.
  let trustsImages: Bool
  private let watching = Mutex()
  private var watch: PluginWatch?

  private static var defaultMaxImagePixels: Int { 178_956_970 }

  convenience init(_ options: clip_runtime_options) throws(ClipError) {
    guard options.threads <= 256 else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "threads: expected at most 256, found \(options.threads)")
    }
    guard options.plugin_path_count == 0 || options.plugin_paths != nil else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT, "plugin_paths: expected \(options.plugin_path_count) paths, found a null pointer")
    }
    guard options.plugin_path_count <= 4096 else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT, "plugin_path_count: expected at most 4096, found \(options.plugin_path_count)")
    }
    let log = Log(function: options.log, user: options.log_user)
    let limit = options.max_image_pixels == 0 ? UInt64(Runtime.defaultMaxImagePixels) : options.max_image_pixels

    let host = PluginHost(log: log)
    guard options.plugin_entry_count <= 4096 else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT, "plugin_entry_count: expected at most 4096, found \(options.plugin_entry_count)")
    }
    for index in 0..<options.plugin_entry_count {
      guard let entry = options.plugin_entries?[index] else {
        throw ClipError(CLIP_INVALID_ARGUMENT, "plugin_entries[\(index)]: expected a function, found a null pointer")
      }
      try host.register(entry)
    }
    var folder = Runtime.pluginFolder()
    if let path = folder, try FileKind(path) != .folder { folder = nil }
    // Loaders first: any path may have files for them.
    if let folder { try host.scan(folder, prefix: "loader_") }
    if let paths = options.plugin_paths {
      for index in 0..<options.plugin_path_count {
        guard let path = paths[index] else {
          throw ClipError(CLIP_INVALID_ARGUMENT, "plugin_paths[\(index)]: expected a path, found a null pointer")
        }
        try host.scan(ClipBase.path(path))
      }
    }
    for path in try PluginPath.entries(log) { try host.scan(path) }
    if let folder { try host.scan(folder) }

    let threads = try ThreadPool(
      threads: Int(options.threads), hostLoop: options.parallel_for, hostUser: options.parallel_user)
    var wanted = options.kernels.map { Name(cString: $0) }
    if wanted == nil, let name = csystem_environment("CLIP_KERNELS") { wanted = Name(cString: name) }
    if wanted?.isEmpty == true { wanted = nil }
    let chosen = try Runtime.chooseKernels(host, wanted: wanted)
    host.keepForComputing(chosen.plugin)
    let kernels = Kernels(
      table: chosen.table.assumingMemoryBound(to: clip_kernels.self), threads: threads.width, owner: chosen.plugin)
    self.init(log, threads, host, kernels, maxImagePixels: Int(clamping: limit), options.max_image_pixels != 0)
  }

  private init(
    _ log: Log, _ threads: ThreadPool, _ host: PluginHost, _ kernels: Kernels, maxImagePixels: Int, _ trustsImages: Bool
  ) {
    self.log = log
    self.threads = threads
    self.host = host
    self.kernels = kernels
    self.maxImagePixels = maxImagePixels
    self.trustsImages = trustsImages
  }

  deinit { watch?.stop() }

  /// Kernels of the folder "on-demand" are loaded when they are asked for by name. OpenBLAS's also are where else the
  /// reference would compute.
  private static func chooseKernels(_ host: PluginHost, wanted: Name?) throws(ClipError) -> PluginRegistry.Item {
    let prefix: Name = "clipcore.kernels."
    var id = wanted ?? ""
    if wanted == nil {
      let best = try KernelChoice.choose(host.registry, wanted: nil)
      if best.plugin != nil { return best }
      id = prefix + "openblas"
    } else if !id.hasPrefix(prefix) {
      id = prefix + id
    }
    if let path = onDemandFile(id) { try host.demand(CLIP_KIND_KERNELS, id, from: path) }
    return try KernelChoice.choose(host.registry, wanted: wanted)
  }

  /// The current registry.
  var plugins: PluginRegistry { host.registry }

  /// Watches the plugins' files until the runtime ends.
  func watchPlugins(_ changed: clip_plugin_changed_fn?, _ user: UnsafeMutableRawPointer?) throws(ClipError) {
    watching.lock()
    defer { watching.unlock() }
    guard watch == nil else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "plugin watch: expected to be asked once, this runtime watches already")
    }
    watch = try PluginWatch(host, log, changed, user)
  }

  /// The current registry, after loading the plugin for `id` from the folder "on-demand" if none brings it. Plugins
  /// there need libraries, such as the C++ runtime, that most programs do not use. The file of "clipcore.codec.heif" is
  /// codec_heif.so.
  func plugins(bringing kind: clip_plugin_kind, _ id: Name) throws(ClipError) -> PluginRegistry {
    if let path = Runtime.onDemandFile(id) { try host.demand(kind, id, from: path) }
    return plugins
  }

  private static func onDemandFile(_ id: Name) -> String? {
    let prefix: Name = "clipcore."
    guard let folder = pluginFolder(), id.hasPrefix(prefix) else { return nil }
    let file = id.utf8.dropFirst(prefix.utf8.count).map { $0 == UInt8(ascii: ".") ? UInt8(ascii: "_") : $0 }
    return join(join(folder, "on-demand"), Name(utf8: file) + ".so")
  }

  /// "clipcore/plugins" beside the library's own file.
  private static func pluginFolder() -> String? {
    guard let path = csystem_library_path(UnsafeRawPointer(clip_version())) else { return nil }
    return join(parent(of: ClipBase.path(path)), "clipcore/plugins")
  }

  /// The image codecs, in the order they were loaded.
  var codecs: [CodecTable] { plugins.codecs }

  /// As `codecs`, but if no loaded codec recognises a file that begins with `data`, first loads one from the folder
  /// "on-demand".
  func codecs(for data: UnsafeRawBufferPointer) throws(ClipError) -> [CodecTable] {
    let loaded = codecs
    guard let bytes = data.bindMemory(to: UInt8.self).baseAddress,
      !loaded.contains(where: { $0.table.pointee.recognises(bytes, data.count) == 1 }),
      let id = ImageSignature(data)?.codec
    else { return loaded }
    return try plugins(bringing: CLIP_KIND_IMAGE_CODEC, id).codecs
  }
}

extension Runtime {
  /// The endings of files that codecs read, loaded or on demand: "jpg,jpeg,png".
  var imageEndings: Name {
    var lists = codecs.compactMap { $0.table.pointee.extensions.map { Name(cString: $0) } }
    for (codec, endings) in ImageSignature.onDemand where plugins.find(CLIP_KIND_IMAGE_CODEC, codec) == nil {
      if let path = Runtime.onDemandFile(codec), (try? FileKind(path)) == .file { lists.append(endings) }
    }
    var all: Name = ""
    for list in lists where !list.isEmpty { all = all.isEmpty ? list : all + "," + list }
    return all
  }
}

extension PluginRegistry {
  fileprivate var codecs: [CodecTable] {
    items.filter { $0.kind == CLIP_KIND_IMAGE_CODEC }.map {
      CodecTable(table: $0.table.assumingMemoryBound(to: clip_image_codec.self), plugin: $0.plugin)
    }
  }
}
