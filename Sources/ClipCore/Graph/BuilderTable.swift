import CClip

extension Builder {
  /// Has an encoder plugin build a tower: lends it a function table over this builder.
  static func build(
    _ encoder: UnsafePointer<clip_encoder>, _ description: TowerDescription, plugins: PluginRegistry
  ) throws(ClipError) -> Graph {
    let builder = Builder(
      config: description.config, scope: description.scope, tower: Int(encoder.pointee.tower), plugins: plugins)
    var table = makeTable(Unmanaged.passUnretained(builder).toOpaque())
    var output = Int(withExtendedLifetime(builder) { encoder.pointee.build(&table) })
    if let error = builder.error { throw error }
    builder.scopes = []
    for layer in description.head { output = try builder.add(layer, to: output) }
    return try builder.finish(output)
  }

  private static func makeTable(_ host: UnsafeMutableRawPointer) -> clip_builder {
    clip_builder(
      struct_size: UInt32(MemoryLayout<clip_builder>.size), host: host,
      need_int: { b, key, low, high in
        on(b, low) { builder throws(ClipError) in try builder.needInt(name(key), low, high) }
      },
      get_int: { b, key, fallback in
        on(b, fallback) { builder throws(ClipError) in try builder.getInt(name(key), fallback) }
      },
      get_number: { b, key, fallback in
        on(b, fallback) { builder throws(ClipError) in try builder.getNumber(name(key), fallback) }
      },
      get_string: { b, key, fallback in
        on(b, fallback) { builder throws(ClipError) in try builder.getString(name(key)) ?? fallback }
      },
      get_ints: { b, key, values, capacity in
        let found = on(b, []) { builder throws(ClipError) in try builder.getInts(name(key)) }
        if let values { for (index, value) in found.prefix(capacity).enumerated() { values[index] = Int64(value) } }
        return found.count
      },
      fail: { b, message in
        on(b, ()) { _ throws(ClipError) in throw ClipError(CLIP_PLUGIN, name(message).string) }
      },
      push: { b, scope in on(b, ()) { builder throws(ClipError) in try builder.push(name(scope)) } },
      pop: { b in on(b, ()) { builder throws(ClipError) in try builder.pop() } },
      op: { b, op, layer, inputs, inputCount, settings, settingCount in
        on(b, -1) { builder throws(ClipError) in
          guard (0...mostGiven).contains(inputCount), (0...mostGiven).contains(settingCount) else {
            throw ClipError(
              CLIP_PLUGIN,
              name(op).string
                + ": expected at most \(mostGiven) inputs and settings, found \(inputCount) and \(settingCount)"
            )
          }
          let inputs = UnsafeBufferPointer(start: inputs, count: inputs == nil ? 0 : inputCount)
          let settings = UnsafeBufferPointer(start: settings, count: settings == nil ? 0 : settingCount)
          return clip_value(
            try builder.op(
              name(op), name(layer), inputs.map { Int($0) }, settings.map { (name($0.name), $0.value) }))
        }
      },
      shape: { b, x, shape in
        shape?.pointee = on(b, clip_shape()) { builder throws(ClipError) in clip_shape(try builder.shape(Int(x))) }
      },
      encoder: { b, id, scope, key in
        on(b, -1) { builder throws(ClipError) in
          clip_value(try builder.encoder(name(id), name(scope), key.map { Name(cString: $0) }, b))
        }
      },
      set_output: { b, key, x in
        on(b, ()) { builder throws(ClipError) in try builder.setOutput(name(key), Int(x)) }
      },
      output: { b, key in on(b, -1) { builder throws(ClipError) in clip_value(try builder.output(name(key))) } })
  }
}

/// The most inputs or settings that a call of an op may have.
private let mostGiven = 1024

private func on<Result>(
  _ table: UnsafeMutablePointer<clip_builder>?, _ fallback: Result, _ body: (Builder) throws(ClipError) -> Result
) -> Result {
  guard let host = table?.pointee.host else { return fallback }
  let builder = Unmanaged<Builder>.fromOpaque(host).takeUnretainedValue()
  return builder.call(fallback) { () throws(ClipError) in try body(builder) }
}

private func name(_ string: UnsafePointer<CChar>?) -> Name { string.map { Name(cString: $0) } ?? "" }
