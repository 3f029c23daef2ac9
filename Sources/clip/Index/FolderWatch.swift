import Glibc

/// Waits for changes in folders, with inotify.
final class FolderWatch {
  private let descriptor: Int32
  /// Network file systems report no changes, so folders are scanned at least this often, in milliseconds.
  private static let longest: Int32 = 600_000
  /// After this time without an event, in milliseconds, a change is complete.
  private static let pause: Int32 = 500

  init() throws(CLIPError) {
    descriptor = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
    guard descriptor >= 0 else { throw .system("cannot watch folders") }
  }

  deinit { close(descriptor) }

  /// Also watches these folders.
  func add(_ folders: [ByteString]) throws(CLIPError) {
    let events =
      IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF
      | IN_ATTRIB | IN_ONLYDIR
    for folder in folders {
      guard folder.withCString({ inotify_add_watch(descriptor, $0, UInt32(events)) }) < 0 else { continue }
      if errno == ENOSPC {
        throw CLIPError(
          "cannot watch \(counted(folders.count, "folder")): expected at least that much in "
            + "/proc/sys/fs/inotify/max_user_watches", status: .limit)
      }
      // A folder that was removed meanwhile is a change of its parent.
      guard errno == ENOENT || errno == ENOTDIR || errno == EACCES else { throw .system(folder.shown) }
    }
  }

  /// Returns true when changes have paused, or false when a signal asked to stop.
  func wait() -> Bool {
    var timeout = FolderWatch.longest
    // Files that are written all the time delay an update by at most a minute.
    let end = seconds() + 60
    var isChanged = false
    while !Interruption.isAsked {
      var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      let count = poll(&event, 1, timeout)
      if count == 0 { return true }
      guard count > 0 else { continue }
      drain()
      if !isChanged { isChanged = true }
      if seconds() > end { return true }
      timeout = FolderWatch.pause
    }
    return false
  }

  private func drain() {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while read(descriptor, &buffer, buffer.count) > 0 {}
  }
}
