import CClip
import CSystem

@c @implementation
public func clip_index_fingerprint(
  _ folder: UnsafePointer<CChar>?, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int
)
  -> clip_status
{
  reporting { () throws(ClipError) in
    let folder = try required(folder, "folder")
    let buffer = try ClipBase.buffer(buffer, capacity, for: 1, of: 33, "buffer")
    _ = write(try Fingerprint(ClipBase.path(folder)).text, to: buffer, 33)
  }
}

@c @implementation
public func clip_index_open(
  _ runtime: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<clip_index_options>?,
  _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let out = try required(out, "out")
    let runtime = try Runtime(runtime)
    let path = try required(path, "path")
    let options = try ClipBase.options(options, clip_index_options(), "options")
    try requireFlags(options.flags, CLIP_INDEX_CREATE | CLIP_INDEX_READ_ONLY, "CLIP_INDEX_")
    out.pointee = handle(owning: try Index(runtime, path, options))
  }
}

@c @implementation
public func clip_index_release(_ index: OpaquePointer?) { releaseHandle(index, Index.self) }

@c @implementation
public func clip_index_describe(_ index: OpaquePointer?, _ info: UnsafeMutablePointer<clip_index_info>?) -> clip_status
{
  reporting { () throws(ClipError) in
    let index = try object(index, Index.self, "index")
    try requireRoom(info, "info")
    try fill(info, with: try index.describe(), "info")
  }
}

@c @implementation
public func clip_index_get_fingerprint(
  _ index: OpaquePointer?, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int
) -> Int {
  guard let index else { return write("", to: buffer, capacity) }
  return write(
    Unmanaged<Index>.fromOpaque(UnsafeRawPointer(index)).takeUnretainedValue().fingerprint, to: buffer, capacity)
}

@c @implementation
public func clip_index_put(
  _ index: OpaquePointer?, _ keys: UnsafePointer<clip_index_bytes>?, _ embeddings: UnsafePointer<Float>?,
  _ metadata: UnsafePointer<clip_index_bytes>?, _ n: Int
) -> clip_status {
  reporting { () throws(ClipError) in
    let index = try object(index, Index.self, "index")
    try requirePositive(n, "n")
    try index.put(try required(keys, "keys"), embeddings, metadata, n)
  }
}

@c @implementation
public func clip_index_rename(
  _ index: OpaquePointer?, _ from: UnsafePointer<clip_index_bytes>?, _ to: UnsafePointer<clip_index_bytes>?, _ n: Int
) -> clip_status {
  reporting { () throws(ClipError) in
    let index = try object(index, Index.self, "index")
    try requirePositive(n, "n")
    try index.rename(try required(from, "from"), try required(to, "to"), n)
  }
}

@c @implementation
public func clip_index_remove(
  _ index: OpaquePointer?, _ keys: UnsafePointer<clip_index_bytes>?, _ n: Int, _ removed: UnsafeMutablePointer<UInt64>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let index = try object(index, Index.self, "index")
    try requirePositive(n, "n")
    let count = try index.remove(try required(keys, "keys"), n)
    removed?.pointee = UInt64(count)
  }
}

@c @implementation
public func clip_index_get(
  _ index: OpaquePointer?, _ key: UnsafeRawPointer?, _ size: Int, _ embedding: UnsafeMutablePointer<Float>?,
  _ capacity: Int, _ visit: clip_index_entry_fn?, _ user: UnsafeMutableRawPointer?
) -> clip_status {
  reporting { () throws(ClipError) in
    let index = try object(index, Index.self, "index")
    let bytes = try Index.key(clip_index_bytes(data: key, size: size), "key", 0)
    if embedding != nil { try requireCapacity(capacity, index.format.width, "embedding") }
    let entry = try index.get(bytes, embedding)
    if let visit { _ = entry.withC { visit(user, $0) } }
  }
}

@c @implementation
public func clip_index_visit(
  _ index: OpaquePointer?, _ prefix: UnsafeRawPointer?, _ size: Int, _ visit: clip_index_entry_fn?,
  _ user: UnsafeMutableRawPointer?
) -> clip_status {
  reporting { () throws(ClipError) in
    let index = try object(index, Index.self, "index")
    let visit = try required(visit, "visit")
    var prefixBytes: [UInt8] = []
    if size != 0 {
      prefixBytes = Array(try Index.key(clip_index_bytes(data: prefix, size: size), "prefix", 0))
    }
    var next = prefixBytes
    while true {
      let entries = try index.page(from: next)
      for entry in entries {
        if !entry.key.starts(with: prefixBytes) || entry.withC({ visit(user, $0) }) != 0 { return }
      }
      guard let last = entries.last else { return }
      // The first key after it.
      next = last.key + [0]
    }
  }
}

@c @implementation
public func clip_index_search(
  _ index: OpaquePointer?, _ query: UnsafePointer<Float>?, _ options: UnsafePointer<clip_index_search_options>?,
  _ visit: clip_index_entry_fn?, _ user: UnsafeMutableRawPointer?
) -> clip_status {
  reporting { () throws(ClipError) in
    let index = try object(index, Index.self, "index")
    let query = try required(query, "query")
    let visit = try required(visit, "visit")
    let wish = try Wish(try ClipBase.options(options, clip_index_search_options(), "options"))
    for entry in try index.search(query, wish) where entry.withC({ visit(user, $0) }) != 0 { return }
  }
}

@c @implementation
public func clip_index_duplicates(
  _ index: OpaquePointer?, _ options: UnsafePointer<clip_index_duplicates_options>?, _ visit: clip_index_pair_fn?,
  _ user: UnsafeMutableRawPointer?
) -> clip_status {
  reporting { () throws(ClipError) in
    let index = try object(index, Index.self, "index")
    let visit = try required(visit, "visit")
    let options = try ClipBase.options(options, clip_index_duplicates_options(), "options")
    guard options.count <= 1_000_000 else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "options.count: expected at most 1000000, found \(options.count)")
    }
    let pairs = try index.duplicates(
      options.count == 0 ? 10000 : Int(options.count), threshold: try duplicateThreshold(options.threshold),
      options.progress)
    for pair in pairs where pair.a.withC({ a in pair.b.withC { visit(user, a, $0) } }) != 0 { return }
  }
}

@c @implementation
public func clip_index_groups(
  _ index: OpaquePointer?, _ options: UnsafePointer<clip_index_groups_options>?, _ visit: clip_index_member_fn?,
  _ user: UnsafeMutableRawPointer?
) -> clip_status {
  reporting { () throws(ClipError) in
    let index = try object(index, Index.self, "index")
    let visit = try required(visit, "visit")
    let options = try ClipBase.options(options, clip_index_groups_options(), "options")
    var count: UInt64 = 0
    var last: Int?
    for member in try index.groups(threshold: try duplicateThreshold(options.threshold), options.progress) {
      if let last, last != member.group { count += 1 }
      last = member.group
      if member.entry.withC({ visit(user, count, $0) }) != 0 { return }
    }
  }
}

private func duplicateThreshold(_ threshold: Float) throws(ClipError) -> Float {
  guard threshold >= 0, threshold <= 1 else {
    throw ClipError(CLIP_INVALID_ARGUMENT, "options.threshold: expected above 0 to 1")
  }
  return threshold == 0 ? 0.95 : threshold
}
