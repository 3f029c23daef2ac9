import CClip
import CSystem

/// A loaded shared library of a plugin; unloaded with its last reference. What is loaded is a private copy in memory,
/// so that rewriting the file never touches running code, and loading the path again gives the new code.
final class PluginFile {
  let entry: clip_plugin_entry_fn
  /// The version of the file that was copied.
  let stamp: FileStamp
  private let library: LoadedLibrary

  private static var largest: Int { 1 << 30 }

  /// If a limit of file sizes (`ulimit -f`) forbids the copy, the file itself is loaded. It must then be replaced by
  /// renaming, not rewritten.
  convenience init(path: String) throws(ClipError) {
    let source = withPath(path) { csystem_open_read($0) }
    guard source >= 0 else { throw systemError("cannot open " + path) }
    var library = source
    do throws(ClipError) {
      let stamp = try FileStamp(source, path)
      if let copy = try PluginFile.copy(source, stamp, path) {
        close(source)
        library = copy
      }
      let (handle, entry) = try PluginFile.load(library, path)
      self.init(entry, stamp, LoadedLibrary(handle, library))
    } catch {
      close(library)
      throw error
    }
  }

  private init(_ entry: @escaping clip_plugin_entry_fn, _ stamp: FileStamp, _ library: LoadedLibrary) {
    self.entry = entry
    self.stamp = stamp
    self.library = library
  }

  deinit { library.unload() }

  /// A memory file with the bytes of `source`; nil if a limit of file sizes forbids it. The source is read, not mapped:
  /// its writer may truncate it meanwhile.
  private static func copy(_ source: Int32, _ stamp: FileStamp, _ path: String) throws(ClipError) -> Int32? {
    guard stamp.size <= largest else {
      throw ClipError(CLIP_LIMIT, path + ": expected a library of at most \(largest) bytes, found \(stamp.size)")
    }
    let buffer = try Memory(byteCount: 1 << 16, for: "a copy of a plugin")
    let copy = "clipcore-plugin".withCString { csystem_memory_file($0) }
    guard copy >= 0 else { throw systemError("cannot copy " + path) }
    do throws(ClipError) {
      while true {
        let count = csystem_read(source, buffer.base, buffer.byteCount)
        if count == 0 { break }
        guard count > 0 else { throw systemError("cannot read " + path) }
        var written = 0
        while written < count {
          let more = csystem_write(copy, buffer.base + written, count - written)
          if more < 0, csystem_errno() == EFBIG {
            close(copy)
            return nil
          }
          guard more > 0 else { throw systemError("cannot copy " + path) }
          written += more
        }
      }
      guard try FileStamp(source, path) == stamp else {
        throw ClipError(CLIP_PLUGIN, path + ": the file was written to while it was read")
      }
    } catch {
      close(copy)
      throw error
    }
    return copy
  }

  /// Loads what the descriptor `copy` holds.
  private static func load(_ copy: Int32, _ path: String) throws(ClipError)
    -> (handle: UnsafeMutableRawPointer, entry: clip_plugin_entry_fn)
  {
    let name = LoadedLibrary.newName(of: copy)
    let file = try MappedFile(mapping: name)
    let problem = withExtendedLifetime(file) { SharedLibrary.problem(in: file.bytes) }
    if let problem { throw ClipError(CLIP_PLUGIN, path + ": " + problem) }
    var found = name.withCString { dlopen($0, RTLD_NOW | RTLD_LOCAL) }
    var reason: Name = ""
    while found == nil {
      let last = reason
      reason = dlerror().map { Name(cString: $0) } ?? "no reason given"
      // "libx.so.1: cannot open shared object file: …": it may lie where the RUNPATH of this library says, as in the
      // tarball of `make dist`, and then stays loaded. A plugin is loaded from memory, where a RUNPATH of its own with $ORIGIN says nothing.
      let needed = reason.utf8.prefix { $0 != UInt8(ascii: ":") }
      guard reason != last, !needed.contains(UInt8(ascii: "/")),
        withPath(Name(utf8: Array(needed)).string, { dlopen($0, RTLD_LAZY | RTLD_LOCAL) }) != nil
      else { break }
      found = name.withCString { dlopen($0, RTLD_NOW | RTLD_LOCAL) }
    }
    guard let handle = found else {
      let prefix = Name(name + ": ")
      if reason.hasPrefix(prefix) { reason = Name(utf8: Array(reason.utf8.dropFirst(prefix.utf8.count))) }
      let isResourceFailure = loadingCodes.contains { reason.hasSuffix(Name(": " + describe(errno: $0))) }
      let isMemory = reason == "out of memory" || reason.hasSuffix(Name(": " + describe(errno: ENOMEM)))
      throw ClipError(
        isMemory ? CLIP_OUT_OF_MEMORY : CLIP_PLUGIN, path + ": cannot be loaded: " + reason.string,
        isResourceFailure: isResourceFailure)
    }
    guard let symbol = dlsym(handle, "clip_plugin_entry") else {
      _ = dlclose(handle)
      throw ClipError(CLIP_PLUGIN, path + ": expected the function clip_plugin_entry, found none")
    }
    return (handle, unsafeBitCast(symbol, to: clip_plugin_entry_fn.self))
  }
}

/// Identifies one version of a file.
struct FileStamp: Equatable {
  let device: UInt
  let file: UInt
  let size: Int
  let seconds: Int
  let nanoseconds: Int

  /// The stamp of an open file; an error if it is not a regular file. `path` is for messages.
  init(_ descriptor: Int32, _ path: String) throws(ClipError) {
    var facts = stat()
    guard fstat(descriptor, &facts) == 0 else { throw systemError("cannot look at " + path) }
    guard csystem_is_file(&facts) != 0 else {
      throw ClipError(
        CLIP_IO, path + ": expected a file, found " + (csystem_is_folder(&facts) != 0 ? "a folder" : "something else"))
    }
    self.init(facts)
  }

  /// nil if there is no such file.
  init?(path: String) {
    var facts = stat()
    guard withPath(path, { stat($0, &facts) }) == 0 else { return nil }
    self.init(facts)
  }

  private init(_ facts: stat) {
    device = UInt(facts.st_dev)
    file = UInt(facts.st_ino)
    size = Int(facts.st_size)
    seconds = Int(facts.st_mtim.tv_sec)
    nanoseconds = Int(facts.st_mtim.tv_nsec)
  }
}
