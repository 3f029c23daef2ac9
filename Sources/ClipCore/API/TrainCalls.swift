import CClip

@c @implementation
public func clip_trainer_create(
  _ model: OpaquePointer?, _ options: UnsafePointer<clip_trainer_options>?, _ out: UnsafeMutablePointer<OpaquePointer?>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let out = try required(out, "out")
    let model = try object(model, Model.self, "model")
    let options = try TrainerOptions(try ClipCore.options(options, clip_trainer_options(), "options"))
    out.pointee = handle(owning: try Trainer(model, options))
  }
}

@c @implementation
public func clip_trainer_release(_ trainer: OpaquePointer?) { releaseHandle(trainer, Trainer.self) }

@c @implementation
public func clip_train_step(
  _ trainer: OpaquePointer?, _ batch: UnsafePointer<clip_train_batch>?, _ metrics: UnsafeMutablePointer<clip_train_metrics>?
) -> clip_status {
  reporting { () throws(ClipError) in
    let trainer = try object(trainer, Trainer.self, "trainer")
    let batch = try ClipCore.options(try required(batch, "batch"), clip_train_batch(), "batch")
    let facts = try trainer.train(batch)
    if metrics != nil { try fill(metrics, with: facts, "metrics") }
  }
}

@c @implementation
public func clip_trainer_read(
  _ trainer: OpaquePointer?, _ kind: clip_trainer_tensor, _ name: UnsafePointer<CChar>?,
  _ values: UnsafeMutablePointer<Float>?, _ count: Int
) -> clip_status {
  reporting { () throws(ClipError) in
    let trainer = try object(trainer, Trainer.self, "trainer")
    let name = Name(cString: try required(name, "name"))
    try trainer.read(kind, name, into: try required(values, "values"), count)
  }
}
