import CClip

/// Steps that augment images or texts. Immutable except for its counter. Keeps its plugins loaded.
final class Pipeline {
  /// nil for a pipeline without steps, which takes images and texts.
  let kind: clip_plugin_kind?
  let steps: [Step]
  let runtime: Runtime
  /// The number of texts that steps could not augment.
  let failures = Counter()

  /// The most steps of a pipeline, nested ones included.
  private static var maxSteps: Int { 1024 }

  /// The pipeline "default": OpenCLIP's crop of nearly the whole image, and mild settings of the other augmentations.
  private static var usual: StaticString {
    """
    [{"op": "random_resized_crop", "size": 224, "scale": [0.9, 1], "interpolation": "bicubic"},
     {"op": "random_horizontal_flip"},
     {"op": "color_jitter", "brightness": 0.1, "contrast": 0.1, "saturation": 0.1, "hue": 0.1},
     {"op": "random_grayscale", "p": 0.1}]
    """
  }

  convenience init(json: UnsafeRawBufferPointer, runtime: Runtime) throws(ClipError) {
    var tree = try JSON.parse(json, place: "pipeline", maxDepth: 32)
    if let name = tree.string, name == "default" {
      let usual = UnsafeRawBufferPointer(start: Pipeline.usual.utf8Start, count: Pipeline.usual.utf8CodeUnitCount)
      tree = try JSON.parse(usual, place: "pipeline", maxDepth: 32)
    }
    guard let list = tree.array else {
      throw ClipError(CLIP_FORMAT, "pipeline: expected a list of steps or \"default\", found \(tree.kind)")
    }
    var reader = StepReader(runtime: runtime, left: Pipeline.maxSteps)
    let steps = try reader.steps(list, "pipeline")
    self.init(reader.kind, steps, runtime)
  }

  private init(_ kind: clip_plugin_kind?, _ steps: [Step], _ runtime: Runtime) {
    self.kind = kind
    self.steps = steps
    self.runtime = runtime
  }

  func require(_ wanted: clip_plugin_kind) throws(ClipError) {
    guard kind == nil || kind == wanted else {
      let names: (StaticString, StaticString) =
        wanted == CLIP_KIND_IMAGE_AUGMENTATION ? ("images", "texts") : ("texts", "images")
      throw ClipError(CLIP_INVALID_ARGUMENT, "pipeline: expected one for \(names.0), found one for \(names.1)")
    }
  }

  /// The image after all steps, in its own memory. An image with alpha is first composited over `background`, if there
  /// is one. `place` names the image in errors.
  func augment(
    _ view: clip_image_view, over background: Colour? = nil, seed: UInt64, index: UInt64, place: String
  ) throws(ClipError) -> ImageHandle {
    // The result's size is checked against the runtime's limit.
    var image = PixelBuffer(try ImageView(view, maxPixels: Int.max, place: place))
    if !image.view.isStoredUpright { image = try image.copied(runtime).buffer }
    if let background, image.view.format.hasAlpha { image = try image.composited(over: background, runtime) }
    for step in steps {
      try step.run(seed: seed, index: index) { (augmentation, random) throws(ClipError) in
        image = try augmentation.apply(image, runtime, &random)
      }
    }
    if image.handle == nil { image = try image.copied(runtime).buffer }
    guard let result = image.handle else { throw ClipError(CLIP_OUT_OF_MEMORY, "\(place): no memory for its copy") }
    return result
  }

  /// The text after all steps; the same buffer if no step changes it.
  func augment(_ text: TextBuffer, seed: UInt64, index: UInt64) throws(ClipError) -> TextBuffer {
    var text = text
    for step in steps {
      try step.run(seed: seed, index: index) { (augmentation, random) throws(ClipError) in
        text = try augmentation.apply(text, &random)
        if text.isFailureCounted { failures.increment() }
      }
    }
    return text
  }
}

/// One step, applied with its probability.
final class Step {
  enum Body {
    case operation(Augmentation)
    case sequence([Step])
    /// One of several steps, drawn by weight.
    case oneOf([Step])
  }

  let body: Body
  let probability: Double
  let weight: Double
  /// The index of the step's random stream, in the order of the JSON.
  let number: UInt32

  init(_ body: Body, probability: Double, weight: Double, number: UInt32) {
    self.body = body
    self.probability = probability
    self.weight = weight
    self.number = number
  }

  /// Calls `apply` for each augmentation that the item's random streams select. The first number of a step's stream
  /// decides whether the step is applied. Steps do not share numbers.
  func run(
    seed: UInt64, index: UInt64, _ apply: (Augmentation, inout RandomStream) throws(ClipError) -> Void
  ) throws(ClipError) {
    var stream = RandomStream(seed: seed, purpose: .augmentation, stream: index, part: number)
    guard stream.uniform() < probability else { return }
    switch body {
    case .operation(let augmentation): try apply(augmentation, &stream)
    case .sequence(let steps): for step in steps { try step.run(seed: seed, index: index, apply) }
    case .oneOf(let steps):
      var total = 0.0
      for step in steps { total += step.weight }
      var drawn = stream.uniform() * total
      for step in steps where step.weight > 0 {
        drawn -= step.weight
        if drawn < 0 { return try step.run(seed: seed, index: index, apply) }
      }
      if let last = steps.last(where: { $0.weight > 0 }) { try last.run(seed: seed, index: index, apply) }
    }
  }
}

/// Reads steps from JSON.
private struct StepReader {
  let runtime: Runtime
  var left: Int
  var kind: clip_plugin_kind?
  private var count: UInt32 = 0

  init(runtime: Runtime, left: Int) {
    self.runtime = runtime
    self.left = left
  }

  mutating func steps(_ list: [JSON], _ place: String) throws(ClipError) -> [Step] {
    var steps: [Step] = []
    for (index, json) in list.enumerated() { steps.append(try step(json, "\(place)[\(index)]")) }
    return steps
  }

  private mutating func step(_ json: JSON, _ place: String) throws(ClipError) -> Step {
    guard let members = json.object else {
      throw ClipError(CLIP_FORMAT, "\(place): expected a step {\"op\": …}, found \(json.kind)")
    }
    guard left > 0 else { throw ClipError(CLIP_LIMIT, "\(place): a pipeline has at most 1024 steps") }
    left -= 1
    count += 1
    let number = count
    let weight = try self.number(json, "weight", place, 1, high: 1e9, "0 to 1e9")
    if json["op"] != nil {
      let (body, usual) = try operation(json, members, place)
      return Step(body, probability: try probability(json, place, usual), weight: weight, number: number)
    }
    let key: Name = json["one_of"] != nil ? "one_of" : "sequence"
    guard let list = json[key]?.array else {
      throw ClipError(
        CLIP_FORMAT, "\(place): expected \"op\", or \"one_of\" or \"sequence\" with a list of steps, found none")
    }
    for member in members where member.key != key && member.key != "p" && member.key != "weight" {
      throw ClipError(
        CLIP_INVALID_ARGUMENT,
        "\(place): unknown key \"\(member.key.string)\" beside \"\(key.string)\"; it has p and weight")
    }
    let inner = try steps(list, "\(place).\(key.string)")
    if key == "one_of" {
      guard inner.contains(where: { $0.weight > 0 }) else {
        throw ClipError(CLIP_INVALID_ARGUMENT, "\(place).one_of: expected a step with a weight above 0")
      }
    }
    return Step(
      key == "one_of" ? .oneOf(inner) : .sequence(inner), probability: try probability(json, place, 1), weight: weight,
      number: number)
  }

  private mutating func operation(
    _ json: JSON, _ members: [(key: Name, value: JSON)], _ place: String
  ) throws(ClipError) -> (Step.Body, Double) {
    guard let op = json["op"]?.string else {
      throw ClipError(CLIP_FORMAT, "\(place): op: expected a name, found \(json["op"]?.kind ?? "nothing")")
    }
    let loaded = try LoadedAugmentation.find(op, place, runtime)
    guard kind == nil || kind == loaded.kind else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT, "\(place): \(op.string) is for another kind of data than the steps before it")
    }
    kind = loaded.kind
    let place = "\(place) (\(op.string))"
    let settings = StepSettings(loaded.table.pointee)
    for member in members where member.key != "op" && member.key != "p" && member.key != "weight" {
      try settings.set(member.key, member.value, place: place)
    }
    let augmentation = try Augmentation(loaded, settings, place: place)
    return (.operation(augmentation), loaded.probability)
  }

  private func probability(_ json: JSON, _ place: String, _ usual: Double) throws(ClipError) -> Double {
    try number(json, "p", place, usual, high: 1, "0 to 1")
  }

  private func number(
    _ json: JSON, _ key: Name, _ place: String, _ usual: Double, high: Double, _ range: StaticString
  ) throws(ClipError) -> Double {
    guard let value = json[key] else { return usual }
    guard let number = value.number, number >= 0, number <= high else {
      throw ClipError(
        CLIP_INVALID_ARGUMENT, "\(place): \(key.string): expected a number from \(range), found \(value.kind)")
    }
    return number
  }
}
