import CClip

/// Checks an augmentation alone: its settings over their ranges, all kinds of images and texts, where it writes, that a
/// seed determines the result, and that instances are freed.
struct AugmentationCheck {
  let table: UnsafePointer<clip_augmentation>
  let report: Report
  private let file: ByteString
  private let kind: clip_plugin_kind

  init(_ file: ByteString, _ index: Int, _ kind: clip_plugin_kind, _ report: Report) throws(CLIPError) {
    table = try LoadedPlugin(file).item(index, kind, clip_augmentation.self, size: MemoryLayout<clip_augmentation>.size)
    self.file = file
    self.kind = kind
    self.report = report
    let hasOne = isImage ? table.pointee.apply_image != nil : table.pointee.apply_text != nil
    guard hasOne, table.pointee.setting_count <= 64,
      table.pointee.settings != nil || table.pointee.setting_count == 0
    else {
      throw CLIPError("expected apply_\(isImage ? "image" : "text") and at most 64 parameters, found something else")
    }
  }

  private var isImage: Bool { kind == CLIP_KIND_IMAGE_AUGMENTATION }
  private var parameters: [clip_setting_info] {
    Array(UnsafeBufferPointer(start: table.pointee.settings, count: table.pointee.setting_count))
  }

  func run() throws(CLIPError) {
    var made = 0, refused = 0, applied = 0, left = 0
    for (number, values) in ParameterTrials(parameters).all.enumerated() {
      let settings = TrialSettings(parameters, values)
      let place = settings.text + ": "
      guard let instance = try create(settings, place) else {
        refused += 1
        if number == 0 { try report.note("the defaults are refused") }
        continue
      }
      made += 1
      settings.close()
      // All inputs with the default settings, a few with others.
      let cases =
        isImage
        ? images(all: number == 0).map { AugmentationInput.image($0) } : texts(all: number == 0).map { .text($0) }
      for input in cases {
        let outcome = try check(instance, input, place + input.text + ": ")
        applied += outcome.isDone ? 1 : 0
        left += outcome.isDone ? 0 : 1
      }
      if number == 0 { try together(instance, cases) }
      table.pointee.destroy?(instance.pointer)
      if report.failures > 8 { return try report.note("and more") }
    }
    try report.require(applied > 0 || made == 0, "nothing that this check knows is taken (\(left) were refused)")
    try comeAndGo()
    try askHost()
    guard report.failures == 0 else { return }
    try report.pass("\(counted(made, "set")) of parameters made, \(refused) refused with words")
    try report.pass(
      "\(applied) \(isImage ? "images: every pixel written" : "texts: UTF-8"), and nothing else; the same by each seed, "
        + "on 4 threads too; \(left) refused with words")
  }

  // MARK: Instances

  /// What create returned, which may be NULL, and the settings it was given, which it must not read later.
  struct Instance: @unchecked Sendable {
    let pointer: UnsafeMutableRawPointer?
    fileprivate let settings: TrialSettings
  }

  /// nil if create refuses.
  private func create(_ settings: TrialSettings, _ place: String) throws(CLIPError) -> Instance? {
    guard let create = table.pointee.create else { return Instance(pointer: nil, settings: settings) }
    var pointer: UnsafeMutableRawPointer?
    let words = settings.lend { settings in PluginWords { create(table, settings, &pointer, $0) } }
    if let mistake = settings.mistake { try report.fail(place + mistake) }
    guard words.status == CLIP_OK else {
      try report.require(!words.text.isEmpty, place + "create refused without a word")
      return nil
    }
    return Instance(pointer: pointer, settings: settings)
  }

  /// Instances are freed. Slow ones are created less often.
  private func comeAndGo() throws(CLIPError) {
    let settings = TrialSettings(parameters, ParameterTrials(parameters).defaults)
    func rounds(_ most: Int) throws(CLIPError) -> Int {
      let start = milliseconds()
      for count in 0..<most {
        if count >= 10, milliseconds() - start > 2000 { return count }
        if let instance = try create(settings, "") { table.pointee.destroy?(instance.pointer) }
      }
      return most
    }
    _ = try rounds(100)
    let before = residentPages()
    let count = try rounds(20000)
    let grown = residentPages() - before
    try report.require(grown < 100, "\(count) rounds of create and destroy left \(grown * 4) KB behind")
  }

  // MARK: One input

  private func check(_ instance: Instance, _ input: AugmentationInput, _ place: String) throws(CLIPError)
    -> AugmentationOutcome
  {
    let first = run(instance, input, seed: 3, fill: 0xa5)
    for problem in first.problems { try report.fail(place + problem) }
    let isWordless = !first.isDone && first.refusal == nil && first.words.isEmpty
    try report.require(!isWordless, place + "it failed without a word")
    // The memory of the result is filled with other bytes, to reveal what was not written.
    let again = run(instance, input, seed: 3, fill: 0x5a)
    try report.require(
      again.isDone == first.isDone && again.result.count == first.result.count,
      place + "called again, it gave something else")
    if again.result != first.result {
      let isUnwritten = zip(first.result, again.result).allSatisfy { $0 == $1 || ($0 == 0xa5 && $1 == 0x5a) }
      try report.fail(
        place + (isUnwritten ? "some of the result was not written" : "by the same seed, it gave another result"))
    }
    // If the host allocates nothing, there is no result.
    let refused = run(instance, input, seed: 3, fill: 0, refuses: true)
    if refused.refusal != nil {
      try report.require(!refused.isDone, place + "the host refused its result, and it said that all is well")
    }
    return first
  }

  /// Uses one instance on 4 threads at once, with different inputs.
  private func together(_ instance: Instance, _ inputs: [AugmentationInput]) throws(CLIPError) {
    let step = max(1, inputs.count / 24)
    let some = stride(from: 0, to: inputs.count, by: step).map { inputs[$0] }
    let alone = some.enumerated().map { run(instance, $0.element, seed: UInt64($0.offset), fill: 0).result }
    var agree = true
    onThreads(4) { thread in
      for round in 0..<3 {
        for place in some.indices {
          let index = (place * (thread % 2 == 0 ? 1 : some.count - 1) + thread * 7 + round) % some.count
          guard run(instance, some[index], seed: UInt64(index), fill: 0).result == alone[index] else { return false }
        }
      }
      return true
    } result: {
      agree = agree && $0
    }
    try report.require(agree, "on 4 threads at once, after other inputs, it gave other results")
  }

  private func run(
    _ instance: Instance, _ input: AugmentationInput, seed: UInt64, fill: UInt8, refuses: Bool = false
  ) -> AugmentationOutcome {
    let random = TrialRandom(seed: seed)
    switch input {
    case .image(let image): return image.run(table.pointee, instance, random, fill: fill, refuses: refuses)
    case .text(let text): return TrialText(text).run(table.pointee, instance, random, refuses: refuses)
    }
  }

  private func images(all: Bool) -> [TrialImage] {
    let formats = [CLIP_PIXELS_RGB, CLIP_PIXELS_RGBA, CLIP_PIXELS_BGR, CLIP_PIXELS_BGRA, CLIP_PIXELS_GRAY].filter {
      table.pointee.formats == 0 || table.pointee.formats & (1 << $0.rawValue) != 0
    }
    let sizes =
      all ? [(1, 1), (1, 9), (9, 1), (2, 2), (3, 5), (17, 16), (40, 33), (128, 96)] : [(1, 1), (1, 6), (19, 13)]
    return formats.flatMap { format in
      sizes.enumerated().map { TrialImage(format: format, width: $1.0, height: $1.1, gap: [0, 13, 4096][$0 % 3]) }
    }
  }

  private func texts(all: Bool) -> [String] {
    all
      ? SampleTexts.fixed + SampleTexts.random(100, seed: 8)
      : Array(SampleTexts.fixed.prefix(12)) + SampleTexts.random(4, seed: 9)
  }

  // MARK: By the host

  /// The host refuses values that are out of range or of another type; the others work.
  private func askHost() throws(CLIPError) {
    let op = string(table.pointee.op)
    let runtime = try Runtime(plugins: [try file.utf8])
    for (key, value, isWrong) in ParameterTrials(parameters).json {
      do throws(CLIPError) {
        _ = try Pipeline("[{\"op\": \"\(op)\", \"\(key)\": \(value)}]", runtime: runtime)
        try report.require(!isWrong, "\(key) of \(value) is taken, which is out of its range")
      } catch {
        try report.require(!error.message.isEmpty, "\(key) of \(value) is refused without a word")
      }
    }
  }
}
