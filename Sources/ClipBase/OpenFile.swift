import CClip
import CSystem

/// An open file that is read with pread(2). Truncation by others and disk failures are errors.
package final class OpenFile {
  package let path: String
  /// The size in bytes when it was opened.
  package let size: Int
  package let descriptor: Int32
  /// The file as it was opened.
  private let facts: stat

  package convenience init(_ path: String) throws(ClipError) {
    let descriptor = withPath(path) { csystem_open_read($0) }
    guard descriptor >= 0 else { throw systemError("cannot open " + path) }
    var facts = stat()
    let problem: ClipError?
    if fstat(descriptor, &facts) != 0 {
      problem = systemError("cannot look at " + path)
    } else if csystem_is_file(&facts) == 0 {
      let found = csystem_is_folder(&facts) != 0 ? "a folder" : "something else"
      problem = ClipError(CLIP_IO, path + ": expected a file, found " + found)
    } else {
      problem = nil
    }
    if let problem {
      close(descriptor)
      throw problem
    }
    self.init(path, descriptor, facts)
  }

  private init(_ path: String, _ descriptor: Int32, _ facts: stat) {
    self.path = path
    self.descriptor = descriptor
    self.facts = facts
    size = Int(facts.st_size)
  }

  deinit { close(descriptor) }

  /// Copies up to `count` bytes at `offset` to `target`, fewer at the end of the file. Returns the number copied.
  package func read(at offset: Int, _ count: Int, into target: UnsafeMutableRawPointer) throws(ClipError) -> Int {
    var done = 0
    while done < count {
      let got = pread(descriptor, target + done, count - done, offset + done)
      if got < 0, csystem_errno() == EINTR { continue }
      guard got >= 0 else { throw systemError("cannot read " + path) }
      if got == 0 { break }
      done += got
    }
    return done
  }

  /// Throws CLIP_IO if the file was changed since it was opened.
  package func requireUnchanged() throws(ClipError) {
    var now = stat()
    guard fstat(descriptor, &now) == 0 else { throw systemError("cannot look at " + path) }
    guard now.st_dev == facts.st_dev, now.st_ino == facts.st_ino, now.st_size == facts.st_size,
      now.st_mtim.tv_sec == facts.st_mtim.tv_sec, now.st_mtim.tv_nsec == facts.st_mtim.tv_nsec
    else {
      throw ClipError(CLIP_IO, path + ": expected the file as it was opened, found that it was changed since")
    }
  }
}
