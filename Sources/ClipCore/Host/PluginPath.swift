import CClip
import CSystem

/// The environment variable CLIP_PLUGIN_PATH: absolute paths of plugin files and folders, separated by colons. Plugins
/// run in the process, so the variable is ignored in a program with more rights than its user (such as setuid), and an
/// entry that any user can write to is skipped with a warning.
enum PluginPath {
  static func entries(_ log: Log) throws(ClipError) -> [String] {
    guard let path = csystem_environment("CLIP_PLUGIN_PATH") else { return [] }
    var entries: [String] = []
    for part in Name(cString: path).utf8.split(separator: UInt8(ascii: ":")) {
      let entry = Name(utf8: Array(part)).string
      if let problem = try problem(entry) {
        log.warning("CLIP_PLUGIN_PATH: skipped: " + problem)
      } else {
        entries.append(entry)
      }
    }
    return entries
  }

  private static func problem(_ entry: String) throws(ClipError) -> String? {
    guard entry.utf8.first == UInt8(ascii: "/") else { return "expected an absolute path, found " + entry }
    var facts = stat()
    guard withPath(entry, { stat($0, &facts) }) == 0 else {
      let error = systemError("cannot look at " + entry)
      if error.isResourceFailure { throw error }
      return error.message
    }
    if csystem_is_open_to_others(&facts) != 0 { return entry + ": all users may write to it" }
    return nil
  }
}
