import CClip

/// How serious a message of the log is.
public enum LogLevel: Sendable { case error, warning, info }

/// Receives a message of the log. Called on any thread that is inside a call of the library or watches plugins; it must
/// not call the library.
public typealias LogHandler = @Sendable (_ level: LogLevel, _ message: String) -> Void

/// Calls `task` once for every index from 0 up to `count`, in any order and on any threads, and returns when all calls
/// have returned.
public typealias ParallelFor = @Sendable (_ count: Int, _ task: @Sendable (_ index: Int) -> Void) -> Void

/// Told how much of a long call is done, on the thread that made the call. Returns whether to go on: with false the call
/// throws `cancelled`.
public typealias ProgressHandler = @Sendable (_ done: Int, _ total: Int) -> Bool

/// The major part of CLIP_ABI_VERSION, whose cast keeps Swift from seeing it.
private let interfaceVersion: UInt32 = 2

/// What models share: the threads that compute, plugins, the log. It lives as long as what was made with it.
///
/// All calls may be made from any thread, also at the same time.
public final class Runtime: @unchecked Sendable {
  @_spi(Handles) public let handle: OpaquePointer
  /// What callbacks of C point to.
  private let hooks: Box<Hooks>
  /// Of `watchPlugins`, which succeeds once.
  var watcher: AnyObject?

  private struct Hooks {
    var log: LogHandler?
    var parallelFor: ParallelFor?
  }

  /// Loads the plugins and starts the threads.
  ///
  /// - Parameters:
  ///   - threads: Threads that compute one call, the calling thread among them, 1 to 256. They sleep when idle.
  ///   - plugins: Folders and plugin files to load before those of CLIP_PLUGIN_PATH and the installed ones. One that
  ///     cannot be loaded is skipped with a warning to the log.
  ///   - kernels: The kernels that compute, by id or its last part, such as "x86-64-v3". nil: those that the
  ///     environment variable CLIP_KERNELS names, else the best for this processor.
  ///   - maxImagePixels: The largest image that is decoded or preprocessed. 0: 178956970, as Pillow has it.
  ///   - parallelFor: A parallel loop of the program, used instead of threads of the library. `threads` then says into
  ///     how many pieces work is cut.
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

  /// The endings of image files that there are codecs for, in lower case and without a dot.
  public var imageEndings: Set<String> {
    Set(string { clip_image_endings(handle, $0, $1) }.split(separator: ",").map(String.init))
  }
}
