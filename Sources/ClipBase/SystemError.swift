import CClip
import CSystem

/// An error with the reason that errno gives.
package func systemError(_ what: String) -> ClipError {
  let code = csystem_errno()
  let status = code == ENOENT ? CLIP_NOT_FOUND : code == ENOMEM ? CLIP_OUT_OF_MEMORY : CLIP_IO
  return ClipError(status, what + ": " + describe(errno: code), isResourceFailure: !nameCodes.contains(code))
}

/// The system's text for an errno value.
package func describe(errno code: Int32) -> String {
  var text = [CChar](repeating: 0, count: 128)
  text.withUnsafeMutableBufferPointer { csystem_describe(code, $0.baseAddress, $0.count) }
  return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// The codes that mean that no file has this name. Other codes are failures of the system.
private var nameCodes: [Int32] { [ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG] }

/// Codes of system failures, whose texts dlopen(3) appends to its message.
package var loadingCodes: [Int32] {
  [ENOMEM, EMFILE, ENFILE, EIO, EAGAIN, ENOSPC, EDQUOT, ENOBUFS, EACCES, EPERM, EINTR]
}
