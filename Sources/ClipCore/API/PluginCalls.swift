import CClip

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
    let plugins = runtime.plugins
    defer { withExtendedLifetime(plugins) {} }
    guard plugins.items.indices.contains(index) else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT, "index: expected less than \(plugins.items.count), found \(UInt(bitPattern: index))")
    }
    let item = plugins.items[index]
    let table = item.plugin?.table.pointee
    let strings = runtime.strings
    var facts = clip_plugin_info()
    facts.kind = item.kind
    facts.id = try strings.keep(Name(cString: item.id))
    facts.description = try strings.keep(Name(cString: item.description))
    facts.version = try strings.keep(Name(cString: table?.version ?? clip_version() ?? StaticString("").cString))
    facts.license = try strings.keep(Name(cString: table?.license ?? StaticString("Apache-2.0").cString))
    facts.path = try strings.keep(Name(item.plugin?.path ?? ""))
    facts.plugin = try strings.keep(item.plugin?.id ?? "")
    if item.kind == CLIP_KIND_KERNELS {
      facts.active = item.table == UnsafeRawPointer(runtime.kernels.table) ? 1 : 0
    } else {
      facts.active = 1
    }
    try fill(info, with: facts, "info")
  }
}

/// A call that names a plugin by its id or path.
private func plugin(
  _ runtime: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ what: StaticString,
  _ body: (PluginHost, Name) throws(ClipError) -> Void
) -> clip_status {
  reporting { () throws(ClipError) in
    let runtime = try object(runtime, Runtime.self, "runtime")
    try body(runtime.host, Name(cString: try required(name, what)))
  }
}

@c @implementation
public func clip_plugin_load(_ runtime: OpaquePointer?, _ path: UnsafePointer<CChar>?) -> clip_status {
  plugin(runtime, path, "path") { host, path throws(ClipError) in try host.load(path.string) }
}

@c @implementation
public func clip_plugin_unload(_ runtime: OpaquePointer?, _ name: UnsafePointer<CChar>?) -> clip_status {
  plugin(runtime, name, "plugin") { host, name throws(ClipError) in try host.unload(name) }
}

@c @implementation
public func clip_plugin_reload(_ runtime: OpaquePointer?, _ name: UnsafePointer<CChar>?) -> clip_status {
  plugin(runtime, name, "plugin") { host, name throws(ClipError) in try host.reload(name) }
}

@c @implementation
public func clip_plugin_register(_ runtime: OpaquePointer?, _ entry: clip_plugin_entry_fn?) -> clip_status {
  reporting { () throws(ClipError) in
    try object(runtime, Runtime.self, "runtime").host.register(try required(entry, "entry"))
  }
}

@c @implementation
public func clip_plugin_watch(
  _ runtime: OpaquePointer?, _ changed: clip_plugin_changed_fn?, _ user: UnsafeMutableRawPointer?
) -> clip_status {
  reporting { () throws(ClipError) in
    try object(runtime, Runtime.self, "runtime").watchPlugins(changed, user)
  }
}
