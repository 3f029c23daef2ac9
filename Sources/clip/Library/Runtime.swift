import CClip
import Glibc

/// One thing that a plugin brings, as `clip_plugin_info` tells.
struct PluginInfo {
  let kind: String
  let id: String
  let description: String
  let version: String
  let license: String
  let path: String
  let active: Bool
}

/// A `clip_runtime`: worker threads and plugins. Its warnings go to standard error.
final class Runtime: @unchecked Sendable {
  let handle: OpaquePointer

  init(threads: Int, plugins: [ByteString], kernels: ByteString?, isQuiet: Bool = false) throws(Failure) {
    var options = clip_runtime_options()
    options.struct_size = UInt32(MemoryLayout<clip_runtime_options>.size)
    options.threads = UInt32(threads)
    options.log =
      isQuiet
      ? nil
      : { _, level, message in
        guard let message, level != CLIP_LOG_INFO else { return }
        let text = String(cString: message)
        if level == CLIP_LOG_ERROR { Console.shared.error(text) } else { Console.shared.warning(text) }
      }
    var out: OpaquePointer?
    let status = withCStrings(plugins) { paths in
      options.plugin_paths = paths
      options.plugin_path_count = plugins.count
      return withOptionalCString(kernels) { name in
        options.kernels = name
        return clip_runtime_create(&options, &out)
      }
    }
    try check(status)
    guard let out else { throw Failure("clip_runtime_create returned no runtime") }
    handle = out
  }

  deinit {
    clip_runtime_release(handle)
  }

  func plugins() throws(Failure) -> [PluginInfo] {
    var list: [PluginInfo] = []
    for index in 0..<clip_plugin_count(handle) {
      var info = clip_plugin_info()
      info.struct_size = UInt32(MemoryLayout<clip_plugin_info>.size)
      try check(clip_plugin_at(handle, index, &info))
      list.append(
        PluginInfo(
          kind: kindName(info.kind), id: string(info.id), description: string(info.description),
          version: string(info.version), license: string(info.license), path: string(info.path),
          active: info.active != 0))
    }
    return list
  }

}

/// A kind of plugin item for a person.
func kindName(_ kind: clip_plugin_kind) -> String {
  switch kind {
  case CLIP_KIND_ENCODER: "encoder"
  case CLIP_KIND_IMAGE_CODEC: "image codec"
  case CLIP_KIND_KERNELS: "kernels"
  case CLIP_KIND_IMAGE_AUGMENTATION: "image augmentation"
  case CLIP_KIND_TEXT_AUGMENTATION: "text augmentation"
  case CLIP_KIND_TOKENIZER: "tokenizer"
  case CLIP_KIND_OP: "op"
  default: "kind \(kind.rawValue)"
  }
}

/// A C string of the library, "" for NULL.
func string(_ pointer: UnsafePointer<CChar>?) -> String {
  pointer.map { String(cString: $0) } ?? ""
}
