import CClip

@c @implementation
public func clip_runtime_create(
  _ options: UnsafePointer<clip_runtime_options>?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let out = try required(out, "out")
    let runtime = try Runtime(try ClipCore.options(options, clip_runtime_options(), "options"))
    out.pointee = handle(owning: runtime)
  }
}

@c @implementation
public func clip_runtime_release(_ runtime: OpaquePointer?) { releaseHandle(runtime, Runtime.self) }

@c @implementation
public func clip_plugin_count(_ runtime: OpaquePointer?) -> Int {
  guard let runtime else { return 0 }
  return Unmanaged<Runtime>.fromOpaque(UnsafeRawPointer(runtime)).takeUnretainedValue().plugins.items.count
}

@c @implementation
public func clip_plugin_at(
  _ runtime: OpaquePointer?, _ index: Int, _ info: UnsafeMutablePointer<clip_plugin_info>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let runtime = try object(runtime, Runtime.self, "runtime")
    let items = runtime.plugins.items
    guard items.indices.contains(index) else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "index: expected less than \(items.count), found \(UInt(bitPattern: index))")
    }
    let item = items[index]
    var facts = clip_plugin_info()
    facts.kind = item.kind
    facts.id = item.id
    facts.description = item.description
    facts.version = item.plugin?.table.pointee.version ?? clip_version()
    facts.license = item.plugin?.table.pointee.license ?? StaticString("Apache-2.0").cString
    facts.path = item.plugin?.pathBytes ?? StaticString("").cString
    if item.kind == CLIP_KIND_KERNELS {
      facts.active = item.table == UnsafeRawPointer(runtime.kernels.table) ? 1 : 0
    } else {
      facts.active = 1
    }
    try fill(info, with: facts, "info")
  }
}
