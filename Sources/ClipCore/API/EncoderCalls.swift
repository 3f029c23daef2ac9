import CClip

@c @implementation
public func clip_encoder_describe(
  _ runtime: OpaquePointer?, _ id: UnsafePointer<CChar>?, _ config: UnsafePointer<CChar>?,
  _ info: UnsafeMutablePointer<clip_encoder_info>?, _ visit: clip_tensor_fn?, _ user: UnsafeMutableRawPointer?
) -> clip_status {
  reporting { () throws(ClipError) in
    let runtime = try object(runtime, Runtime.self, "runtime")
    let probe = try EncoderProbe(
      Name(cString: try required(id, "id")), config: config.map { String(cString: $0) }, runtime: runtime)
    try fill(info, with: probe.facts, "info")
    guard let visit else { return }
    for parameter in probe.plan.parameters {
      let shape = parameter.shape.map { UInt64(clamping: $0) }
      let answer = parameter.name.string.withCString { name in
        shape.withUnsafeBufferPointer { visit(user, name, $0.baseAddress, $0.count) }
      }
      if answer != 0 { return }
    }
  }
}

@c @implementation
public func clip_recommend_encoders(
  _ runtime: OpaquePointer?, _ options: UnsafePointer<clip_recommend_options>?, _ visit: clip_recommendation_fn?,
  _ user: UnsafeMutableRawPointer?
) -> clip_status {
  reporting { () throws(ClipError) in
    let runtime = try object(runtime, Runtime.self, "runtime")
    let options = try ClipCore.options(options, clip_recommend_options(), "options")
    let visit = try required(visit, "visit")
    for found in try Recommendation.all(options, runtime) {
      var result = clip_recommendation()
      result.struct_size = UInt32(MemoryLayout<clip_recommendation>.size)
      result.score = Float(found.score)
      result.parameters = UInt64(clamping: found.parameters)
      result.multiply_adds = UInt64(clamping: found.multiplyAdds)
      result.milliseconds = found.milliseconds
      let answer = found.id.string.withCString { id in
        found.reasons.withCString { reasons in
          result.id = id
          result.reasons = reasons
          return visit(user, &result)
        }
      }
      if answer != 0 { return }
    }
  }
}
