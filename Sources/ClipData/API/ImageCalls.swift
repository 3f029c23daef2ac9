import CClip

@c @implementation
public func clip_encode_files(
  _ runtime: OpaquePointer?, _ model: OpaquePointer?, _ files: UnsafePointer<clip_image_file>?, _ n: Int,
  _ options: UnsafePointer<clip_encode_files_options>?, _ receive: clip_encoded_fn?, _ user: UnsafeMutableRawPointer?
) -> clip_status {
  reporting { () throws(ClipError) in
    let runtime = try Runtime(runtime)
    let model = try Model(try required(model, "model"))
    guard model.pixelCount > 0 else {
      throw ClipError(CLIP_UNSUPPORTED, "model: expected an open image tower, found none")
    }
    try requirePositive(n, "n")
    let files = try required(files, "files")
    let receive = try required(receive, "receive")
    let given = try ClipBase.options(options, clip_encode_files_options(), "options")
    try FileEncoder(
      model: model, runtime: runtime, options: try FileOptions(given, runtime, model), receive: receive, user: user
    ).run(files, n)
  }
}

@c @implementation
public func clip_archive_visit(
  _ path: UnsafePointer<CChar>?, _ visit: clip_archive_fn?, _ user: UnsafeMutableRawPointer?
) -> clip_status {
  reporting { () throws(ClipError) in
    let path = Name(cString: try required(path, "path"))
    let visit = try required(visit, "visit")
    let archive = TarReader(try FileReader(path.string), from: 0)
    while let member = try archive.next() {
      let answer = withPath(Name(utf8: member.name).string) {
        visit(user, $0, UInt64(member.data.offset), UInt64(member.data.size))
      }
      if answer != 0 { return }
    }
  }
}
