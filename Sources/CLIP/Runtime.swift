import CClip

/// The severity of a log message.
public enum LogLevel: Sendable { case error, warning, info }

/// Receives a log message, on any thread that is in a call of the library, or on the watcher thread. Must not call the
/// library.
public typealias LogHandler = @Sendable (_ level: LogLevel, _ message: String) -> Void

/// Calls `task` once for each index from 0 to `count - 1`, in any order and on any threads. Returns after all calls
/// have returned.
public typealias ParallelFor = @Sendable (_ count: Int, _ task: @Sendable (_ index: Int) -> Void) -> Void

/// Receives the progress of a long call, on the calling thread. If it returns false, the call throws `cancelled`.
public typealias ProgressHandler = @Sendable (_ done: Int, _ total: Int) -> Bool

/// The major part of CLIP_ABI_VERSION, which Swift cannot import because of its cast.
private let interfaceVersion: UInt32 = 2

/// What models share: compute threads, plugins, the log. Objects made with a runtime keep it alive.
///
/// All calls may be made from any thread and at the same time.
public final class Runtime: @unchecked Sendable {
  @_spi(Handles) public let handle: OpaquePointer
  /// The target of C callbacks' user pointers.
  private let hooks: Box<Hooks>
  /// The closure of `watchPlugins`; nil before it is called.
  var watcher: AnyObject?

  private struct Hooks {
    var log: LogHandler?
    var parallelFor: ParallelFor?
  }

  /// Loads the plugins and starts the threads.
  ///
  /// - Parameters:
  ///   - threads: Threads that compute a call, including the calling thread, 1 to 256. They sleep when idle.
  ///   - plugins: Folders and plugin files to load before those of CLIP_PLUGIN_PATH and the installed ones. One that
  ///     cannot be loaded is skipped with a warning in the log.
  ///   - kernels: The kernel set, by id or its last part, such as "x86-64-v3". nil: that of the environment variable
  ///     CLIP_KERNELS, else the best for this processor.
  ///   - maxImagePixels: The largest image that is decoded or preprocessed. 0: 178956970, as in Pillow.
  ///   - parallelFor: A parallel loop of the program, used instead of threads of the library. `threads` is then the
  ///     number of pieces of a loop.
  ///   - log: Receives warnings and errors; nil drops them.
  public init(
    threads: Int = 1, plugins: [String] = [], kernels: String? = nil, maxImagePixels: Int = 0,
    parallelFor: ParallelFor? = nil, log: LogHandler? = nil
  ) throws(CLIPError) {
    guard clip_abi_version() >> 16 == interfaceVersion else {
      throw CLIPError(
        .unsupported,
        "expected a libclipcore of interface \(interfaceVersion), found one of interface \(clip_abi_version() >> 16)")
    }
    let hooks = Box(Hooks(log: log, parallelFor: parallelFor))
    var out: OpaquePointer?
    try withCMemory { memory throws(CLIPError) in
      var options = sized(clip_runtime_options(), \.struct_size)
      options.threads = try number(threads, "threads")
      options.plugin_paths = try memory.strings(plugins, "plugins")
      options.plugin_path_count = plugins.count
      options.kernels = try memory.string(kernels, "kernels")
      options.max_image_pixels = try number(maxImagePixels, "maxImagePixels")
      if log != nil {
        options.log_user = hooks.pointer
        options.log = { user, level, message in
          let level: LogLevel =
            switch level {
            case CLIP_LOG_ERROR: .error
            case CLIP_LOG_WARNING: .warning
            default: .info
            }
          Box<Hooks>.at(user)?.value.log?(level, string(message))
        }
      }
      if parallelFor != nil {
        options.parallel_user = hooks.pointer
        options.parallel_for = { user, count, task, context in
          nonisolated(unsafe) let context = context
          Box<Hooks>.at(user)?.value.parallelFor?(count) { task?(context, $0) }
        }
      }
      try check(clip_runtime_create(&options, &out))
    }
    guard let out else { throw CLIPError(.plugin, "clip_runtime_create returned no runtime") }
    handle = out
    self.hooks = hooks
  }

  deinit { clip_runtime_release(handle) }

  /// The lower-case name endings, without a dot, of image files that the loaded codecs decode.
  public var imageEndings: Set<String> {
    Set(string { clip_image_endings(handle, $0, $1) }.split(separator: ",").map(String.init))
  }
}
