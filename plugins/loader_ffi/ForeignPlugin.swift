import CClip
import CSystem
import ClipBase
import ClipFFI

/// A plugin made from a manifest: functions of any shared library behind a plugin's table.
final class ForeignPlugin {
  private(set) var table: UnsafePointer<clip_plugin>?
  private let arena = Arena()
  private let handle: UnsafeMutableRawPointer
  private var functions: [ForeignFunction] = []

  convenience init(path: String) throws(ClipError) {
    let manifest = try ConfigReader(path: path)
    try manifest.allow(["id", "version", "license", "library", "functions"])
    self.init(try ForeignPlugin.open(manifest))
    try fill(manifest, try LibFFI())
  }

  private init(_ handle: UnsafeMutableRawPointer) { self.handle = handle }

  deinit { dlclose(handle) }

  /// A name without a slash is searched by the dynamic linker. A relative path is relative to the manifest.
  private static func open(_ manifest: ConfigReader) throws(ClipError) -> UnsafeMutableRawPointer {
    let name = try manifest.string("library", "")
    guard !name.isEmpty, !name.utf8.contains(0) else {
      throw manifest.error(CLIP_FORMAT, "library", "a library's name or path")
    }
    var path = name.string
    if name.utf8.contains(UInt8(ascii: "/")) {
      if !name.hasPrefix("/") { path = join(parent(of: manifest.place), name) }
      do throws(ClipError) {
        let file = try MappedFile(mapping: path)
        let problem = withExtendedLifetime(file) { SharedLibrary.problem(in: file.bytes) }
        if let problem { throw ClipError(CLIP_PLUGIN, "\(path): \(problem)") }
      } catch {
        throw error.at("\(manifest.place): library")
      }
    }
    guard let handle = withPath(path, { dlopen($0, RTLD_NOW | RTLD_LOCAL) }) else {
      throw ClipError(CLIP_PLUGIN, "\(manifest.place): library: cannot be loaded: " + loaderMessage())
    }
    return handle
  }

  private func fill(_ manifest: ConfigReader, _ library: LibFFI) throws(ClipError) {
    guard let list = manifest.json["functions"]?.array, (1...1024).contains(list.count) else {
      throw manifest.error(CLIP_FORMAT, "functions", "a list of 1 to 1024 functions")
    }
    var items: [clip_plugin_item] = []
    var ids: [Name] = []
    for (index, json) in list.enumerated() {
      let entry = try ConfigReader(json, place: manifest.place, prefix: "functions[\(index)].")
      for key in ["id", "op"] as [Name] {
        guard let name = entry.json[key]?.string else { continue }
        guard !ids.contains(name) else { throw entry.error(CLIP_FORMAT, key, "a name that no other function has") }
        ids.append(name)
      }
      let function = try ForeignReader(entry, arena).function(in: handle, library)
      functions.append(function)
      switch function.kind {
      case .imageAugmentation:
        items.append(
          clip_plugin_item(
            kind: CLIP_KIND_IMAGE_AUGMENTATION.rawValue,
            table: UnsafeRawPointer(arena.keep([try augmentation(entry, function)]))))
      case .map:
        items.append(
          clip_plugin_item(
            kind: CLIP_KIND_OP.rawValue, table: UnsafeRawPointer(arena.keep([try op(entry, function)]))))
      }
    }
    table = UnsafePointer(
      arena.keep([
        clip_plugin(
          struct_size: UInt32(MemoryLayout<clip_plugin>.size), abi_version: 2 << 16,
          id: try text("id", manifest),
          version: try text("version", manifest), license: try text("license", manifest),
          items: UnsafePointer(arena.keep(items)),
          item_count: items.count)
      ]))
  }

  private func text(_ key: StaticString, _ reader: ConfigReader) throws(ClipError) -> UnsafePointer<CChar> {
    let text = try reader.string(key, "")
    guard !text.isEmpty, !text.utf8.contains(0) else { throw reader.error(CLIP_FORMAT, key, "a text") }
    return arena.keep(text)
  }

  private func augmentation(_ entry: ConfigReader, _ function: ForeignFunction) throws(ClipError) -> clip_augmentation {
    var table = clip_augmentation()
    table.struct_size = UInt32(MemoryLayout<clip_augmentation>.size)
    table.formats = 1 << function.format.c.rawValue
    table.id = try text("id", entry)
    table.op = try text("op", entry)
    table.description = try text("description", entry)
    table.probability = try entry.number("probability", 1, 0...1)
    table.settings = UnsafePointer(arena.keep(function.settings))
    table.setting_count = function.settings.count
    table.context = UnsafeRawPointer(Unmanaged.passUnretained(function).toOpaque())
    table.create = { table, settings, instance, error in
      guard let context = table?.pointee.context, let settings, let instance else { return CLIP_INVALID_ARGUMENT }
      let function = Unmanaged<ForeignFunction>.fromOpaque(context).takeUnretainedValue()
      return reporting(error) { () throws(ClipError) in
        instance.pointee = Unmanaged.passRetained(try ForeignImage(function, settings)).toOpaque()
      }
    }
    table.destroy = { if let instance = $0 { Unmanaged<ForeignImage>.fromOpaque(instance).release() } }
    table.apply_image = { instance, view, sink, random, error in
      guard let instance, let view, let sink, let random else { return CLIP_INVALID_ARGUMENT }
      let image = Unmanaged<ForeignImage>.fromOpaque(instance).takeUnretainedValue()
      return reporting(error) { () throws(ClipError) in try image.apply(view.pointee, sink, random) }
    }
    return table
  }

  private func op(_ entry: ConfigReader, _ function: ForeignFunction) throws(ClipError) -> clip_op {
    ForeignMap.op(
      function, id: try text("id", entry), description: try text("description", entry),
      settingNames: UnsafePointer(arena.keep(function.settings.map { $0.name })))
  }
}

/// Runs `body` and writes what it throws to `error`.
func reporting(
  _ error: UnsafeMutablePointer<clip_plugin_error>?, _ body: () throws(ClipError) -> Void
) -> clip_status {
  do throws(ClipError) {
    try body()
    return CLIP_OK
  } catch let failure {
    failure.message.withCString { csystem_copy_text(error?.pointee.message, error?.pointee.capacity ?? 0, $0) }
    return failure.status
  }
}
