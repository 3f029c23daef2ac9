import CClip
import CSystem

/// What a path leads to.
package enum FileKind {
  case absent, file, folder, other

  package init(_ path: String) {
    var facts = stat()
    guard stat(path, &facts) == 0 else {
      self = .absent
      return
    }
    self = csystem_is_file(&facts) != 0 ? .file : csystem_is_folder(&facts) != 0 ? .folder : .other
  }
}

/// `name` inside `folder`.
package func join(_ folder: String, _ name: Name) -> String {
  folder.utf8.last == UInt8(ascii: "/") ? folder + name.string : folder + "/" + name.string
}

/// Everything before a path's last slash; "." without one.
package func parent(of path: String) -> String {
  let utf8 = Array(path.utf8)
  guard let slash = utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
  return slash == 0 ? "/" : String(decoding: utf8[..<slash], as: UTF8.self)
}

/// What follows a path's last slash.
package func fileName(of path: String) -> Name {
  let utf8 = Array(path.utf8)
  return Name(utf8: Array(utf8[((utf8.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)...]))
}

/// Names in a folder that end in `suffix`, sorted by bytes.
package func names(in folder: String, endingIn suffix: Name) throws(ClipError) -> [Name] {
  guard let listing = folder.withCString({ opendir($0) }) else { throw systemError("cannot open the folder " + folder) }
  defer { closedir(listing) }
  var names: [Name] = []
  while let entry = readdir(listing) {
    let name = Name(cString: csystem_entry_name(entry))
    if name.hasSuffix(suffix) { names.append(name) }
  }
  return names.sorted()
}
