import CClip
import CSystem

/// Makes a folder if there is none.
package func makeFolder(_ path: String) throws(ClipError) {
  if try FileKind(path) == .folder { return }
  guard path.withCString({ mkdir($0, 0o777) }) == 0 else { throw systemError("cannot make the folder " + path) }
}

/// Puts a folder's new names on the disk; not every file system can.
package func syncFolder(_ path: String) {
  let descriptor = path.withCString { csystem_open_read($0) }
  guard descriptor >= 0 else { return }
  fsync(descriptor)
  close(descriptor)
}

/// Writes a file that is not there yet.
package func writeFile(_ path: String, _ bytes: UnsafeRawBufferPointer) throws(ClipError) {
  let descriptor = path.withCString { csystem_open_write($0) }
  guard descriptor >= 0 else { throw systemError("cannot write " + path) }
  var done = 0
  while done < bytes.count, let base = bytes.baseAddress {
    let written = csystem_write(descriptor, base + done, bytes.count - done)
    guard written > 0 else { break }
    done += written
  }
  let isWritten = done == bytes.count && fsync(descriptor) == 0
  let error = systemError("cannot write " + path)
  guard close(descriptor) == 0, isWritten else { throw error }
}

/// Makes the folder `path` of what `body` writes to the one that it is given, beside its place, and puts it there
/// whole. Of a folder that was there, files of other names stay, but for `replaced`; after an error all do.
package func writeFolder(_ path: String, replacing replaced: [Name], _ body: (String) throws(ClipError) -> Void)
  throws(ClipError)
{
  let target = try settled(path)
  let aside = try makeFolderAside(target)
  do throws(ClipError) {
    try body(aside)
    syncFolder(aside)
    // Where it is there and not empty, the two change places.
    guard rename(aside, target) == 0 || csystem_exchange(aside, target) == 0 else {
      throw systemError("cannot write the folder " + path)
    }
  } catch {
    for name in entries(aside) { unlink(join(aside, name)) }
    rmdir(aside)
    throw error
  }
  for name in entries(aside) {
    let old = join(aside, name)
    if replaced.contains(name) || isThere(join(target, name)) {
      unlink(old)
    } else {
      rename(old, join(target, name))
    }
  }
  rmdir(aside)
  syncFolder(parent(of: target))
}

/// Whether there is anything of that name, a broken link too.
private func isThere(_ path: String) -> Bool {
  var facts = stat()
  return lstat(path, &facts) == 0
}

/// What is in a folder; nothing for one that cannot be read.
private func entries(_ folder: String) -> [Name] {
  guard let all = try? names(in: folder, endingIn: "") else { return [] }
  return all.filter { $0 != "." && $0 != ".." }
}

/// Without links and slashes at the end, so that there is something beside it.
private func settled(_ path: String) throws(ClipError) -> String {
  switch try FileKind(path) {
  case .folder:
    guard let real = realpath(path, nil) else { throw systemError("cannot look at " + path) }
    defer { free(real) }
    return String(cString: real)
  case .absent:
    var utf8 = Array(path.utf8)
    while utf8.count > 1, utf8.last == UInt8(ascii: "/") { utf8.removeLast() }
    return String(decoding: utf8, as: UTF8.self)
  case .file, .other: throw ClipError(CLIP_IO, path + ": expected a folder or nothing, found a file")
  }
}

/// A new folder beside `path`.
private func makeFolderAside(_ path: String) throws(ClipError) -> String {
  for number in 0..<1000 {
    let aside = path + ".partial-\(number)"
    if aside.withCString({ mkdir($0, 0o777) }) == 0 { return aside }
    guard csystem_errno() == EEXIST else { throw systemError("cannot make the folder " + path) }
  }
  throw ClipError(CLIP_IO, "cannot make the folder \(path): there are 1000 unfinished ones beside it")
}
