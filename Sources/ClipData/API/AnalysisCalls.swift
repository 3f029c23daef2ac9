import CClip
import CSystem

@c @implementation
public func clip_analyze(
  _ runtime: OpaquePointer?, _ images: UnsafePointer<Float>?, _ texts: UnsafePointer<Float>?, _ n: Int, _ d: Int,
  _ options: UnsafePointer<clip_analysis_options>?, _ analysis: UnsafeMutablePointer<clip_analysis>?,
  _ pairs: UnsafeMutablePointer<clip_pair_analysis>?, _ capacity: Int
) -> clip_status {
  reporting { () throws(ClipError) in
    let runtime = try Runtime(runtime)
    let options = try ClipBase.options(options, clip_analysis_options(), "options")
    // Checked first, before minutes of work.
    try requireRoom(analysis, "analysis")
    if pairs != nil { try requireCapacity(capacity, n, "pairs") }
    let measured = try Analysis(
      try required(images, "images"), try required(texts, "texts"), n, d, runtime
    ).measure(options, pairs)
    try fill(analysis, with: measured, "analysis")
  }
}

@c @implementation
public func clip_modality_gap(
  _ path: UnsafePointer<CChar>?, _ a: UnsafePointer<CChar>?, _ b: UnsafePointer<CChar>?,
  _ info: UnsafeMutablePointer<clip_modality_gap_info>?, _ visit: clip_property_gap_fn?,
  _ user: UnsafeMutableRawPointer?
) -> clip_status {
  reporting { () throws(ClipError) in
    let names = (Name(cString: try required(a, "a")), Name(cString: try required(b, "b")))
    let catalogue = try Catalogue(path.map { ClipBase.path($0) })
    let gaps = try catalogue.gap(names.0, names.1)
    var facts = clip_modality_gap_info()
    facts.properties = UInt32(clamping: gaps.count)
    for gap in gaps { facts.score += gap.weight * gap.gap }
    let level = try catalogue.level(of: facts.score)
    withCStrings([level]) { level in
      withUnsafeMutableBytes(of: &facts.level) { csystem_copy_text($0.baseAddress, $0.count, level[0]) }
    }
    try fill(info, with: facts, "info")
    guard let visit else { return }
    for gap in gaps {
      let isLast = withCStrings([gap.property, gap.title, gap.values.0, gap.values.1, gap.challenge]) { strings in
        var facts = clip_property_gap(
          struct_size: UInt32(MemoryLayout<clip_property_gap>.size), property: strings[0],
          title: strings[1], a: strings[2], b: strings[3], challenge: strings[4], gap: gap.gap, weight: gap.weight)
        return visit(user, &facts) != 0
      }
      if isLast { return }
    }
  }
}

@c @implementation
public func clip_catalogue_visit(
  _ path: UnsafePointer<CChar>?, _ section: UnsafePointer<CChar>?, _ visit: clip_catalogue_fn?,
  _ user: UnsafeMutableRawPointer?
) -> clip_status {
  reporting { () throws(ClipError) in
    let section = Name(cString: try required(section, "section"))
    let visit = try required(visit, "visit")
    try Catalogue(path.map { ClipBase.path($0) }).fields(of: section) { entry, field, value in
      withCStrings([entry, field, value]) { visit(user, $0[0], $0[1], $0[2]) == 0 }
    }
  }
}

/// The names as C strings, valid during `body`.
@inline(never)
private func withCStrings<Result>(_ names: [Name], _ body: ([UnsafePointer<CChar>?]) -> Result) -> Result {
  var bytes: [UInt8] = []
  for name in names { bytes += name.utf8 + [0] }
  return bytes.withUnsafeBytes { bytes in
    var strings: [UnsafePointer<CChar>?] = []
    var offset = 0
    for name in names {
      strings.append(bytes.baseAddress.map { ($0 + offset).assumingMemoryBound(to: CChar.self) })
      offset += name.utf8.count + 1
    }
    return body(strings)
  }
}
