import CClip

@c @implementation
public func clip_plugins_visit(
  _ runtime: OpaquePointer?, _ visit: clip_plugin_fn?, _ user: UnsafeMutableRawPointer?
) -> clip_status {
  reporting { () throws(ClipError) in
    let runtime = try object(runtime, Runtime.self, "runtime")
    let visit = try required(visit, "visit")
    let plugins = runtime.plugins
    // The visitor may unload the plugin that it is visiting.
    defer { withExtendedLifetime(plugins) {} }
    for item in plugins.items {
      let table = item.plugin?.table.pointee
      var info = clip_plugin_info()
      info.struct_size = UInt32(MemoryLayout<clip_plugin_info>.size)
      info.kind = item.kind
      let isInUse = item.table == UnsafeRawPointer(runtime.kernels.table)
      info.active = item.kind != CLIP_KIND_KERNELS || isInUse ? 1 : 0
      info.id = item.id
      info.description = item.description
      info.version = table?.version ?? clip_version()
      info.license = table?.license ?? StaticString("Apache-2.0").cString
      let answer = withPath(item.plugin?.path ?? "") { path in
        (item.plugin?.id ?? "").string.withCString { plugin in
          info.path = path
          info.plugin = plugin
          return visit(user, &info)
        }
      }
      if answer != 0 { return }
    }
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
