import CClip
import CSystem

@c @implementation
public func clip_runtime_retain(_ runtime: OpaquePointer?) -> OpaquePointer? {
  guard let runtime else { return nil }
  return handle(owning: Unmanaged<Runtime>.fromOpaque(UnsafeRawPointer(runtime)).takeUnretainedValue())
}

@c @implementation
public func clip_runtime_log(_ runtime: OpaquePointer?, _ level: clip_log_level, _ message: UnsafePointer<CChar>?) {
  guard let runtime, let message else { return }
  Unmanaged<Runtime>.fromOpaque(UnsafeRawPointer(runtime)).takeUnretainedValue().log.send(
    level, String(cString: message))
}

@c @implementation
public func clip_runtime_threads(_ runtime: OpaquePointer?) -> UInt32 {
  guard let runtime else { return 0 }
  return UInt32(
    clamping: Unmanaged<Runtime>.fromOpaque(UnsafeRawPointer(runtime)).takeUnretainedValue().threads.width)
}

@c @implementation
public func clip_runtime_parallel_for(
  _ runtime: OpaquePointer?, _ count: Int, _ task: clip_task_fn?, _ context: UnsafeMutableRawPointer?
) -> clip_status {
  reporting { () throws(ClipError) in
    let runtime = try object(runtime, Runtime.self, "runtime")
    let task = try required(task, "task")
    guard count >= 0 else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "count: expected at most \(Int.max), found \(UInt(bitPattern: count))")
    }
    runtime.threads.run(count, TaskWork(task: task, context: context))
  }
}

private struct TaskWork: Work {
  let task: clip_task_fn
  let context: UnsafeMutableRawPointer?

  func part(_ piece: Int) { task(context, piece) }
}

@c @implementation
public func clip_model_snapshot(_ model: OpaquePointer?, _ out: UnsafeMutablePointer<OpaquePointer?>?) -> clip_status {
  reporting { () throws(ClipError) in
    let out = try required(out, "out")
    out.pointee = handle(owning: OpenModel(try object(model, OpenModel.self, "model").current))
  }
}

// MARK: Plugin tables

@c @implementation
public func clip_plugin_tables_visit(
  _ runtime: OpaquePointer?, _ kind: clip_plugin_kind, _ visit: clip_plugin_table_fn?, _ user: UnsafeMutableRawPointer?
) -> clip_status {
  reporting { () throws(ClipError) in
    let plugins = try object(runtime, Runtime.self, "runtime").plugins
    let visit = try required(visit, "visit")
    defer { withExtendedLifetime(plugins) {} }
    for item in plugins.items where item.kind == kind {
      if visit(user, item.id, item.table) != 0 { return }
    }
  }
}

@c @implementation
public func clip_plugin_table_hold(
  _ runtime: OpaquePointer?, _ kind: clip_plugin_kind, _ id: UnsafePointer<CChar>?,
  _ table: UnsafeMutablePointer<UnsafeRawPointer?>?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let runtime = try object(runtime, Runtime.self, "runtime")
    let id = Name(cString: try required(id, "id"))
    let table = try required(table, "table")
    let out = try required(out, "out")
    let plugins = try runtime.plugins(bringing: kind, id)
    guard let item = plugins.find(kind, id) else {
      throw ClipError(CLIP_NOT_FOUND, "id: expected one of \(plugins.ids(kind)), found " + id.string)
    }
    table.pointee = item.table
    out.pointee = handle(owning: HeldItem(item, runtime))
  }
}

@c @implementation
public func clip_plugin_reference_release(_ reference: OpaquePointer?) { releaseHandle(reference, HeldItem.self) }

/// Keeps a table valid: holds its plugin, or the runtime for a built-in table.
private final class HeldItem {
  private let item: PluginRegistry.Item
  private let runtime: Runtime

  init(_ item: PluginRegistry.Item, _ runtime: Runtime) {
    self.item = item
    self.runtime = runtime
  }
}
