import CClip
import CSystem

/// Makes a folder if there is none.
package func makeFolder(_ path: String) throws(ClipError) {
  if try FileKind(path) == .folder { return }
  guard withPath(path, { mkdir($0, 0o777) }) == 0 else { throw systemError("cannot make the folder " + path) }
}

/// Flushes a folder's entries to the disk, if the file system supports it and the folder is readable.
package func syncFolder(_ path: String) throws(ClipError) {
  let descriptor = withPath(path) { csystem_open_read($0) }
  guard descriptor >= 0 else {
    if csystem_errno() == EACCES { return }
    throw systemError("cannot open the folder " + path)
  }
  let isSynced = csystem_sync(descriptor) == 0 || [EINVAL, ENOTSUP, EROFS].contains(csystem_errno())
  let error = isSynced ? nil : systemError(path + ": written, but not known to be on the disk")
  close(descriptor)
  if let error { throw error }
}

/// Writes a new file; an error if it exists.
package func writeFile(_ path: String, _ bytes: UnsafeRawBufferPointer) throws(ClipError) {
  let descriptor = withPath(path) { csystem_open_write($0) }
  guard descriptor >= 0 else { throw systemError("cannot write " + path) }
  var done = 0
  while done < bytes.count, let base = bytes.baseAddress {
    let written = csystem_write(descriptor, base + done, bytes.count - done)
    guard written > 0 else { break }
    done += written
  }
  let isWritten = done == bytes.count && csystem_sync(descriptor) == 0
  let error = systemError("cannot write " + path)
  guard csystem_close(descriptor) == 0, isWritten else { throw error }
}

/// Replaces the folder `path` at once: `body` writes to a new folder beside it, which then takes its place. Other files
/// of the old folder are kept, except those named in `replaced`. After an error the old folder is unchanged.
package func writeFolder(_ path: String, replacing replaced: [Name], _ body: (String) throws(ClipError) -> Void)
  throws(ClipError)
{
  let target = try settled(path)
  let aside = try makeFolderAside(target)
  // Opened while it is empty: emptying it later needs no free descriptor.
  guard let listing = withPath(aside, { csystem_open_folder($0) }) else {
    let error = systemError("cannot open the folder " + aside)
    removeFolder(aside)
    throw error
  }
  defer { closedir(listing) }
  var old: [Name] = []
  var new: [Name] = []
  do throws(ClipError) {
    try body(aside)
    try syncFolder(aside)
    new = try entries(listing, aside)
    if try FileKind(target) == .folder { old = try names(in: target, endingIn: "").filter(isEntry) }
    // If the target exists and is not empty, the two are exchanged.
    guard withPaths(aside, target, rename) == 0 || withPaths(aside, target, csystem_exchange) == 0 else {
      throw systemError("cannot write the folder " + path)
    }
  } catch {
    if let all = try? entries(listing, aside) { for name in all { removeFile(join(aside, name)) } }
    removeFolder(aside)
    throw error
  }
  var failure: ClipError?
  for name in old {
    let place = join(aside, name)
    if replaced.contains(name) || new.contains(name) {
      removeFile(place)
    } else if withPaths(place, join(target, name), rename) != 0, csystem_errno() != ENOENT {
      failure = systemError("\(path) is written, but \(name.string), which was there, is now in \(aside)")
    }
  }
  removeFolder(aside)
  try syncFolder(parent(of: target))
  if let failure { throw failure }
}

package func removeFile(_ path: String) { _ = withPath(path) { unlink($0) } }
private func removeFolder(_ path: String) { _ = withPath(path) { rmdir($0) } }

/// A call of the system's with two paths, such as rename(2).
package func withPaths(
  _ one: String, _ other: String, _ call: (UnsafePointer<CChar>?, UnsafePointer<CChar>?) -> Int32
) -> Int32 {
  withPath(one) { one in withPath(other) { call(one, $0) } }
}

private func isEntry(_ name: Name) -> Bool { name != "." && name != ".." }

/// The names in an open folder.
private func entries(_ listing: OpaquePointer, _ path: String) throws(ClipError) -> [Name] {
  rewinddir(listing)
  return try names(in: listing, path).filter(isEntry)
}

/// The path without links and trailing slashes, so that its parent is the folder that holds it.
private func settled(_ path: String) throws(ClipError) -> String {
  switch try FileKind(path) {
  case .folder:
    guard let real = try realPath(path) else { throw systemError("cannot look at " + path) }
    return real
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
    if withPath(aside, { mkdir($0, 0o777) }) == 0 { return aside }
    guard csystem_errno() == EEXIST else { throw systemError("cannot make the folder " + path) }
  }
  throw ClipError(CLIP_IO, "cannot make the folder \(path): there are 1000 unfinished ones beside it")
}
