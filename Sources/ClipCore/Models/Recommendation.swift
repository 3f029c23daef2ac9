import CClip
import CSystem

/// Weights of needs by name: "local-detail:3,low-latency". An encoder's strengths have the same form.
struct Weights {
  var entries: [(name: Name, value: Double)] = []

  /// nil if the text is malformed.
  init?(_ text: String) {
    for part in Array(text.utf8).split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      let sides = part.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
      guard let name = sides.first, !name.isEmpty, sides.count <= 2 else { return nil }
      var value = 1.0
      if sides.count == 2 {
        guard let number = Weights.number(sides[1]), number > 0 else { return nil }
        value = number
      }
      entries.append((Name(utf8: Array(name)), value))
    }
  }

  /// Digits with at most one point.
  private static func number(_ text: ArraySlice<UInt8>) -> Double? {
    var value = 0.0
    var unit = 0.0
    guard !text.isEmpty, text.count <= 9 else { return nil }
    for byte in text {
      if byte == UInt8(ascii: "."), unit == 0 {
        unit = 1
      } else if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
        value = value * 10 + Double(byte - UInt8(ascii: "0"))
        unit *= 10
      } else {
        return nil
      }
    }
    return unit > 1 ? value / unit : value
  }

  subscript(_ name: Name) -> Double {
    for entry in entries where entry.name == name { return entry.value }
    return 0
  }
}

/// Ranks the encoders of a tower by what is needed.
struct Recommendation {
  static let declared: [Name] = ["local-detail", "global-context", "texture", "multi-scale", "small-data"]
  static let latency: Name = "low-latency"
  static let size: Name = "few-parameters"

  let id: Name
  var score = 0.0
  var reasons = ""
  let parameters: Int
  let multiplyAdds: Int
  /// 0 if not measured.
  let milliseconds: Double
  private let strengths: Weights?
  private var cost: Double { milliseconds > 0 ? milliseconds : Double(multiplyAdds) }

  static func all(_ options: clip_recommend_options, _ runtime: Runtime) throws(ClipError) -> [Recommendation] {
    try requireFlags(options.flags, CLIP_RECOMMEND_MEASURE, "CLIP_RECOMMEND_")
    let tower = options.tower == 0 ? UInt32(CLIP_TOWER_IMAGE) : options.tower
    guard tower == CLIP_TOWER_IMAGE || tower == CLIP_TOWER_TEXT else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "options.tower: expected one of CLIP_TOWER_*, found \(tower)")
    }
    let needs = try needs(options.needs)
    let measures = options.flags & UInt32(CLIP_RECOMMEND_MEASURE) != 0
    var list: [Recommendation] = []
    for item in runtime.plugins.items where item.kind == CLIP_KIND_ENCODER {
      guard item.table.assumingMemoryBound(to: clip_encoder.self).pointee.tower == tower else { continue }
      do throws(ClipError) {
        let id = Name(cString: item.id)
        let probe = try EncoderProbe(id, config: nil, runtime: runtime)
        guard options.max_parameters == 0 || UInt64(probe.plan.parameterCount) <= options.max_parameters else {
          continue
        }
        let milliseconds = measures ? try probe.milliseconds(runtime) : 0
        guard options.max_milliseconds <= 0 || milliseconds <= options.max_milliseconds else { continue }
        list.append(
          Recommendation(
            id: id, parameters: probe.plan.parameterCount, multiplyAdds: probe.multiplyAdds,
            milliseconds: milliseconds,
            strengths: EncoderTable(item.table).strengths.flatMap { Weights(String(cString: $0)) }))
      } catch {
        if error.isResourceFailure { throw error }
        runtime.log.warning("recommend: left out: " + error.message)
      }
    }
    let cheapest = list.reduce(Double.infinity) { min($0, $1.cost) }
    let smallest = list.reduce(Double.infinity) { min($0, Double($1.parameters)) }
    for index in list.indices { list[index].judge(needs, cheapest: cheapest, smallest: smallest) }
    return list.ordered { $0.score != $1.score ? $0.score > $1.score : $0.parameters < $1.parameters }
  }

  private static func needs(_ text: UnsafePointer<CChar>?) throws(ClipError) -> Weights {
    let known = declared + [latency, size]
    var list = ""
    for name in known { list += (list.isEmpty ? "" : ", ") + name.string }
    guard let text, let needs = Weights(String(cString: text)) else {
      throw ClipError(CLIP_INVALID_ARGUMENT, "options.needs: expected \"need:weight,…\" with " + list)
    }
    for entry in needs.entries where !known.contains(entry.name) {
      throw ClipError(CLIP_INVALID_ARGUMENT, "options.needs: expected one of " + list + ", found " + entry.name.string)
    }
    return needs
  }

  /// Each need is met with 0 to 3; the score is the weighted mean.
  private mutating func judge(_ needs: Weights, cheapest: Double, smallest: Double) {
    var total = 0.0
    for need in needs.entries {
      var met: Double
      var why: String
      switch need.name {
      case Recommendation.latency:
        met = Recommendation.closeness(cost, to: cheapest)
        why =
          milliseconds > 0
          ? tenths(milliseconds) + " ms measured" : tenths(Double(multiplyAdds) / 1e9) + " G multiply-adds"
      case Recommendation.size:
        met = Recommendation.closeness(Double(parameters), to: smallest)
        why = tenths(Double(parameters) / 1e6) + " M parameters"
      default:
        met = min(3, strengths?[need.name] ?? 0)
        why = strengths == nil ? "nothing declared" : "declared"
      }
      score += need.value * met / 3
      total += need.value
      reasons += (reasons.isEmpty ? "" : "; ") + need.name.string + " " + tenths(met) + " of 3, " + why
    }
    score /= total
  }

  /// 3 for the best value, one less for each factor of five.
  private static func closeness(_ value: Double, to best: Double) -> Double {
    guard value > 0, best > 0 else { return 3 }
    return max(0, 3 - log(value / best) / log(5))
  }
}

/// A value of at least 0 with one digit after the point.
private func tenths(_ value: Double) -> String {
  guard let scaled = Int(exactly: (value * 10).rounded()) else { return "?" }
  return "\(scaled / 10).\(scaled % 10)"
}
