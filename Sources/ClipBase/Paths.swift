import CClip
import CSystem

/// The kind of file at a path.
package enum FileKind {
  case absent, file, folder, other

  /// Absent means that no file has this name. A dangling or circular link, a folder that may not be searched and any
  /// other refusal of the system is an error: treated as absent, it would change which files count.
  package init(_ path: String) throws(ClipError) {
    var facts = stat()
    if withPath(path, { stat($0, &facts) }) != 0 {
      let code = csystem_errno()
      // No file can have a name that is too long.
      guard code == ENOENT || code == ENAMETOOLONG else { throw systemError("cannot look at " + path) }
      guard withPath(path, { lstat($0, &facts) }) != 0 else {
        throw ClipError(CLIP_IO, path + ": expected a file or folder, found a link that leads to nothing")
      }
      self = .absent
      return
    }
    self = csystem_is_file(&facts) != 0 ? .file : csystem_is_folder(&facts) != 0 ? .folder : .other
  }
}

/// The path with links resolved; nil if no file has it.
package func realPath(_ path: String) throws(ClipError) -> String? {
  guard let real = withPath(path, { realpath($0, nil) }) else {
    let error = systemError("cannot look at " + path)
    if error.isResourceFailure { throw error }
    return nil
  }
  defer { free(real) }
  return ClipBase.path(real)
}

/// `name` inside `folder`.
package func join(_ folder: String, _ name: Name) -> String {
  folder.utf8.last == UInt8(ascii: "/") ? folder + name.string : folder + "/" + name.string
}

/// The same for bytes of any kind.
package func join(_ folder: Name, _ name: Name) -> Name { folder.hasSuffix("/") ? folder + name : folder + "/" + name }

/// Everything before a path's last slash; "." without one.
package func parent(of path: String) -> String {
  let utf8 = Array(path.utf8)
  guard let slash = utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
  return slash == 0 ? "/" : String(decoding: utf8[..<slash], as: UTF8.self)
}

/// The part after a path's last slash.
package func fileName(of path: String) -> Name {
  let utf8 = Name(path).utf8
  return Name(utf8: Array(utf8[((utf8.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)...]))
}

/// Names in a folder that end in `suffix`, sorted by bytes.
package func names(in folder: String, endingIn suffix: Name) throws(ClipError) -> [Name] {
  guard let listing = withPath(folder, { csystem_open_folder($0) }) else {
    throw systemError("cannot open the folder " + folder)
  }
  defer { closedir(listing) }
  return try names(in: listing, folder).filter { $0.hasSuffix(suffix) }.ordered(by: <)
}

/// The names in an open folder; `folder` is its path, for messages.
func names(in listing: OpaquePointer, _ folder: String) throws(ClipError) -> [Name] {
  var names: [Name] = []
  while let entry = csystem_next_entry(listing) {
    names.append(Name(cString: csystem_entry_name(entry)))
  }
  guard csystem_errno() == 0 else { throw systemError("cannot list the folder " + folder) }
  return names
}
