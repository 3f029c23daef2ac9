import CClip
import CSystem

@c @implementation
public func clip_trainer_create(
  _ model: OpaquePointer?, _ options: UnsafePointer<clip_trainer_options>?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let out = try required(out, "out")
    let model = try object(model, OpenModel.self, "model").current
    let options = try TrainerOptions(try ClipCore.options(options, clip_trainer_options(), "options"))
    out.pointee = handle(owning: try Trainer(model, options))
  }
}

@c @implementation
public func clip_trainer_release(_ trainer: OpaquePointer?) { releaseHandle(trainer, Trainer.self) }

/// A call that computes a batch and fills metrics, which may be NULL.
private func batch(
  _ trainer: OpaquePointer?, _ batch: UnsafePointer<clip_train_batch>?,
  _ metrics: UnsafeMutablePointer<clip_train_metrics>?,
  _ body: (Trainer, clip_train_batch) throws(ClipError) -> clip_train_metrics
) -> clip_status {
  reporting { () throws(ClipError) in
    let trainer = try object(trainer, Trainer.self, "trainer")
    let batch = try ClipCore.options(try required(batch, "batch"), clip_train_batch(), "batch")
    // Checked before the update, so that a failure changes nothing.
    if metrics != nil { try requireRoom(metrics, "metrics") }
    let found = try body(trainer, batch)
    if metrics != nil { try fill(metrics, with: found, "metrics") }
  }
}

@c @implementation
public func clip_train_step(
  _ trainer: OpaquePointer?, _ given: UnsafePointer<clip_train_batch>?,
  _ metrics: UnsafeMutablePointer<clip_train_metrics>?
) -> clip_status {
  batch(trainer, given, metrics) { trainer, batch throws(ClipError) in try trainer.train(batch) }
}

@c @implementation
public func clip_trainer_evaluate(
  _ trainer: OpaquePointer?, _ given: UnsafePointer<clip_train_batch>?,
  _ metrics: UnsafeMutablePointer<clip_train_metrics>?
) -> clip_status {
  batch(trainer, given, metrics) { trainer, batch throws(ClipError) in try trainer.evaluate(batch) }
}

@c @implementation
public func clip_trainer_set_learning_rate(_ trainer: OpaquePointer?, _ rate: Double) -> clip_status {
  reporting { () throws(ClipError) in try object(trainer, Trainer.self, "trainer").set(learningRate: rate) }
}

@c @implementation
public func clip_trainer_read(
  _ trainer: OpaquePointer?, _ kind: clip_tensor_kind, _ name: UnsafePointer<CChar>?,
  _ values: UnsafeMutablePointer<Float>?, _ capacity: Int
) -> clip_status {
  reporting { () throws(ClipError) in
    let trainer = try object(trainer, Trainer.self, "trainer")
    let name = Name(cString: try required(name, "name"))
    try trainer.read(kind, name, into: try required(values, "values"), capacity)
  }
}

@c @implementation
public func clip_trainer_tensors_visit(
  _ trainer: OpaquePointer?, _ visit: clip_trained_tensor_fn?, _ user: UnsafeMutableRawPointer?
) -> clip_status {
  reporting { () throws(ClipError) in
    let trainer = try object(trainer, Trainer.self, "trainer")
    let visit = try required(visit, "visit")
    for (name, count, rate) in trainer.trainedTensors {
      if name.string.withCString({ visit(user, $0, UInt64(count), rate) }) != 0 { return }
    }
  }
}

@c @implementation
public func clip_trainer_save(
  _ trainer: OpaquePointer?, _ folder: UnsafePointer<CChar>?, _ keep: UInt32, _ note: UnsafePointer<CChar>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let trainer = try object(trainer, Trainer.self, "trainer")
    let folder = path(try required(folder, "folder"))
    let note = Name(utf8: note.map { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) } ?? [])
    do throws(ClipError) {
      var scalars = Scalars()
      try note.utf8.withUnsafeBufferPointer { bytes throws(ClipError) in try UTF8Text.decode(bytes, into: &scalars) }
    } catch {
      throw error.at("note")
    }
    guard note.utf8.count <= 65536 else {
      throw ClipError(CLIP_LIMIT, "note: expected at most 65536 bytes, found \(note.utf8.count)")
    }
    try trainer.save(folder: folder, keep: Int(keep), note: note)
  }
}

@c @implementation
public func clip_trainer_resume(_ trainer: OpaquePointer?, _ path: UnsafePointer<CChar>?) -> clip_status {
  reporting { () throws(ClipError) in
    try object(trainer, Trainer.self, "trainer").resume(ClipBase.path(try required(path, "path")))
  }
}

@c @implementation
public func clip_trainer_note(_ trainer: OpaquePointer?, _ note: UnsafeMutablePointer<CChar>?, _ capacity: Int) -> Int {
  var text: Name = ""
  if let trainer { text = Unmanaged<Trainer>.fromOpaque(UnsafeRawPointer(trainer)).takeUnretainedValue().note }
  return write(text, to: note, capacity)
}

@c @implementation
public func clip_trainer_export(
  _ trainer: OpaquePointer?, _ folder: UnsafePointer<CChar>?, _ options: UnsafePointer<clip_export_options>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let trainer = try object(trainer, Trainer.self, "trainer")
    let folder = path(try required(folder, "folder"))
    try trainer.export(folder: folder, try ClipCore.options(options, clip_export_options(), "options"))
  }
}

@c @implementation
public func clip_model_export(
  _ model: OpaquePointer?, _ checkpoint: UnsafePointer<CChar>?, _ folder: UnsafePointer<CChar>?,
  _ options: UnsafePointer<clip_export_options>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let model = try object(model, OpenModel.self, "model").current
    let folder = path(try required(folder, "folder"))
    try model.export(
      checkpoint: checkpoint.map { path($0) }, folder: folder,
      try ClipCore.options(options, clip_export_options(), "options"))
  }
}

@c @implementation
public func clip_trainer_update_model(_ trainer: OpaquePointer?, _ model: OpaquePointer?, _ flags: UInt32)
  -> clip_status
{
  reporting { () throws(ClipError) in
    let trainer = try object(trainer, Trainer.self, "trainer")
    let model = try object(model, OpenModel.self, "model")
    try requireFlags(flags, CLIP_EXPORT_AVERAGE, "CLIP_EXPORT_", "flags")
    let average = flags & UInt32(CLIP_EXPORT_AVERAGE) != 0
    try model.update { (current) throws(ClipError) in try trainer.model(like: current, average: average) }
  }
}
