import CClip

@c @implementation
public func clip_dataset_open(
  _ runtime: OpaquePointer?, _ model: OpaquePointer?, _ sources: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int,
  _ options: UnsafePointer<clip_dataset_options>?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let out = try required(out, "out")
    let runtime = try Runtime(runtime)
    let model = try model.map { model throws(ClipError) in try Model(model) }
    try requirePositive(count, "source_count")
    let given = try required(sources, "sources")
    var sources: [String] = []
    for index in 0..<count {
      guard let source = given[index] else {
        throw ClipError(CLIP_INVALID_ARGUMENT, "sources[\(index)]: expected a path, found a null pointer")
      }
      sources.append(path(source))
    }
    let options = try DatasetOptions(try ClipBase.options(options, clip_dataset_options(), "options"), runtime)
    out.pointee = handle(owning: Dataset(try ShardList(sources: sources, options.fields), options, runtime, model))
  }
}

@c @implementation
public func clip_dataset_release(_ dataset: OpaquePointer?) { releaseHandle(dataset, Dataset.self) }

@c @implementation
public func clip_dataset_next(_ dataset: OpaquePointer?, _ batch: UnsafeMutablePointer<clip_batch>?) -> clip_status {
  reporting { () throws(ClipError) in
    let dataset = try object(dataset, Dataset.self, "dataset")
    // Checked first, so that no batch is lost.
    try requireRoom(batch, "batch")
    try fill(batch, with: try dataset.next(), "batch")
  }
}

@c @implementation
public func clip_dataset_save(_ dataset: OpaquePointer?, _ state: UnsafeMutablePointer<UInt8>?, _ capacity: Int)
  -> clip_status
{
  reporting { () throws(ClipError) in
    let dataset = try object(dataset, Dataset.self, "dataset")
    try dataset.save(to: try buffer(state, capacity, for: 1, of: DatasetState.byteCount, "state"))
  }
}

@c @implementation
public func clip_dataset_restore(_ dataset: OpaquePointer?, _ state: UnsafePointer<UInt8>?, _ size: Int) -> clip_status
{
  reporting { () throws(ClipError) in
    let dataset = try object(dataset, Dataset.self, "dataset")
    guard size == DatasetState.byteCount else {
      throw ClipError(CLIP_FORMAT, "state: expected \(DatasetState.byteCount) bytes, found \(UInt(bitPattern: size))")
    }
    try dataset.restore(try required(state, "state"))
  }
}

@c @implementation
public func clip_dataset_get_counters(
  _ dataset: OpaquePointer?, _ counters: UnsafeMutablePointer<clip_dataset_counters>?
) -> clip_status {
  reporting { () throws(ClipError) in
    try fill(counters, with: try object(dataset, Dataset.self, "dataset").counters(), "counters")
  }
}
