import CClip
import CSystem

/// Paths and folders, as far as the library needs them.
enum Folder {
  static func joined(_ folder: String, _ name: String) -> String {
    folder.utf8.last == UInt8(ascii: "/") ? folder + name : folder + "/" + name
  }

  /// Everything before the last slash; "." without one.
  static func parent(of path: String) -> String {
    let utf8 = Array(path.utf8)
    guard let slash = utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == 0 ? "/" : String(decoding: utf8[..<slash], as: UTF8.self)
  }

  static func isFolder(_ path: String) -> Bool {
    var facts = stat()
    return path.withCString { stat($0, &facts) } == 0 && csystem_is_folder(&facts) != 0
  }

  static func isFile(_ path: String) -> Bool {
    var facts = stat()
    return path.withCString { stat($0, &facts) } == 0 && csystem_is_file(&facts) != 0
  }

  /// Names in a folder that end in `suffix`, sorted by bytes.
  static func names(in folder: String, endingIn suffix: Name) throws(ClipError) -> [String] {
    guard let handle = folder.withCString({ opendir($0) }) else { throw systemError("cannot open the folder " + folder) }
    defer { closedir(handle) }
    var names: [Name] = []
    while let entry = readdir(handle) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Name(utf8: Array($0.prefix { $0 != 0 })) }
      if name.hasSuffix(suffix) { names.append(name) }
    }
    return names.sorted().map { $0.string }
  }
}
