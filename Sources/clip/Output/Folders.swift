import Glibc

/// The names in a folder, without "." and "..", sorted.
func names(in folder: ByteString) throws(CLIPError) -> [ByteString] {
  guard let stream = folder.withCString({ opendir($0) }) else {
    throw .system("cannot read the folder \(folder.shown)")
  }
  defer { closedir(stream) }
  var names: [ByteString] = []
  while let entry = readdir(stream) {
    let name = withUnsafeBytes(of: &entry.pointee.d_name) { ByteString($0.prefix { $0 != 0 }) }
    if name != "." && name != ".." { names.append(name) }
  }
  return names.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
}

/// Removes a folder and its contents. Links are removed, not followed.
func removeFolder(_ folder: ByteString) {
  for name in (try? names(in: folder)) ?? [] {
    let path = folder.appending(name.bytes)
    if path.withCString({ unlink($0) }) != 0 { removeFolder(path) }
  }
  _ = folder.withCString { rmdir($0) }
}

/// Calls `body` with a temporary folder, and removes the folder.
func withTemporaryFolder<Result>(_ body: (ByteString) throws(CLIPError) -> Result) throws(CLIPError) -> Result {
  let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
  var template = Array("\(parent)/clip-check-XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else { throw .system("cannot make a folder in \(parent)") }
  let folder = ByteString(template.dropLast().map { UInt8(bitPattern: $0) })
  defer { removeFolder(folder) }
  return try body(folder)
}

/// A text that changes when a file in the folder changes its name, size or time.
func folderStamp(_ folder: ByteString) throws(CLIPError) -> String {
  var hash: UInt64 = 0xcbf2_9ce4_8422_2325  // FNV-1a
  func add(_ bytes: some Sequence<UInt8>) { for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 } }
  for name in try names(in: folder) {
    var status = stat()
    guard folder.appending(name.bytes).withCString({ stat($0, &status) }) == 0, status.st_mode & S_IFMT == S_IFREG
    else {
      continue
    }
    add(name.bytes)
    add("/\(status.st_size) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)\n".utf8)
  }
  return String(hash, radix: 16)
}
