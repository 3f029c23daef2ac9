/// The curves of a run as one SVG, for light and dark mode.
struct TrainingCurves {
  /// The values of one key of the log, by step.
  struct Series {
    var points: [(step: Double, value: Double)] = []
  }

  private let title: String
  private let subtitle: String
  private let lastStep: Double
  private let series: [String: Series]

  init(title: String, subtitle: String, lines: [JSON]) {
    self.title = title
    self.subtitle = subtitle
    var series: [String: Series] = [:]
    var last = 1.0
    for case .object(let members) in lines {
      guard case .integer(let step)? = members.first(where: { $0.key == "step" })?.value else { continue }
      last = max(last, Double(step))
      for (key, value) in members {
        let number: Double
        switch value {
        case .double(let real): number = real
        case .integer(let whole): number = Double(whole)
        default: continue
        }
        series[key, default: Series()].points.append((Double(step), number))
      }
    }
    self.series = series
    lastStep = last
  }

  private struct Panel {
    var title: String
    /// The keys of the log in one plot, each with its CSS class and its name.
    var curves: [(key: String, style: String, name: String)]
    var box: (x: Double, y: Double, width: Double, height: Double)
    var startsAtZero = false
    var isNoisy = true
    var scale = 1.0
    var unit = ""
    /// The decimals of the last value.
    var digits = 2
  }

  private var panels: [Panel] {
    let (column, gap, left, top) = (328.0, 18.0, 30.0, 92.0)
    let second = top + 300 + gap
    let isEvaluated = series["eval/recall_at_1"] != nil
    var accuracy = [(key: "accuracy", style: "a", name: isEvaluated ? "batch" : "")]
    if isEvaluated { accuracy.append((key: "eval/recall_at_1", style: "b", name: "held out")) }
    return [
      Panel(title: "Loss", curves: [("loss", "a", "")], box: (left, top, 2 * column + gap, 300), digits: 3),
      Panel(
        title: isEvaluated ? "Recall at 1" : "Accuracy", curves: accuracy,
        box: (left + 2 * (column + gap), top, column, 300), startsAtZero: true, scale: 100, unit: " %", digits: 1),
      Panel(title: "Temperature", curves: [("temperature", "c", "")], box: (left, second, column, 210), isNoisy: false),
      Panel(
        title: "Learning rate", curves: [("learning_rate", "c", "")], box: (left + column + gap, second, column, 210),
        startsAtZero: true, isNoisy: false, digits: -1),
      Panel(
        title: "Gradient norm", curves: [("gradient_norm", "c", "")],
        box: (left + 2 * (column + gap), second, column, 210),
        startsAtZero: true),
    ]
  }

  var svg: String {
    """
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1080 650" role="img" aria-labelledby="title text">
    <title id="title">\(escaped(title))</title><desc id="text">\(escaped(subtitle))</desc>
    <style>
    \(TrainingCurves.style)
    </style>
    <defs>\(["a", "b", "c"].map { "<linearGradient id=\"fade-\($0)\" x1=\"0\" y1=\"0\" x2=\"0\" y2=\"1\"><stop class=\"stop-\($0)\" stop-opacity=\".28\"/><stop class=\"stop-\($0)\" offset=\"1\" stop-opacity=\"0\"/></linearGradient>" }.joined())</defs>
    <rect class="back" width="1080" height="650"/>
    <text class="head" x="30" y="46">\(escaped(title, limit: 70))</text>
    <text class="soft" x="30" y="70">\(escaped(subtitle, limit: 150))</text>
    \(panels.enumerated().map { draw($1, "panel-\($0)") }.joined(separator: "\n"))
    </svg>

    """
  }

  private func draw(_ panel: Panel, _ id: String) -> String {
    let (x, y, width, height) = panel.box
    let area = (left: x + 52, top: y + 50, width: width - 52 - 20, height: height - 50 - 34)
    let curves = panel.curves.map { curve in
      (curve, (series[curve.key]?.points ?? []).map { (step: $0.step, value: $0.value * panel.scale) })
    }
    let smooth = curves.map { panel.isNoisy ? TrainingCurves.smoothed($0.1) : TrainingCurves.thinned($0.1) }
    // Outliers are clipped rather than flatten the rest.
    let raw = curves.flatMap { TrainingCurves.thinned($0.1).map(\.value) }.sorted()
    let lines = smooth.flatMap { $0.map(\.value) }
    var low = min(raw.first ?? 0, lines.min() ?? 0)
    var high = max(raw.isEmpty ? 1 : raw[(raw.count - 1) * 98 / 100], lines.max() ?? 1)
    if panel.startsAtZero { low = 0 }
    if high - low < 1e-12 * max(high.magnitude, 1e-12) { high = low + max(high.magnitude * 0.1, 1e-9) }
    let ticks = TrainingCurves.ticks(low, high, panel.box.height > 250 ? 5 : 3)
    low = min(low, ticks.first ?? low)
    high = max(high, ticks.last ?? high)
    let place = { (point: (step: Double, value: Double)) -> (x: String, y: String) in
      (
        fixed(area.left + point.step / lastStep * area.width, 1),
        fixed(area.top + (1 - (point.value - low) / (high - low)) * area.height, 1)
      )
    }
    var text = "<g><rect class=\"card\" x=\"\(x)\" y=\"\(y)\" width=\"\(width)\" height=\"\(height)\" rx=\"10\"/>"
    text += "<text class=\"title\" x=\"\(x + 18)\" y=\"\(y + 30)\">\(panel.title)</text>"
    for tick in ticks {
      let at = place((0, tick)).y
      text += "<path class=\"grid\" d=\"M\(fixed(area.left, 1)) \(at)h\(fixed(area.width, 1))\"/>"
      text +=
        "<text class=\"tick\" x=\"\(fixed(area.left - 8, 1))\" y=\"\(at)\" dy=\"4\" text-anchor=\"end\">\(TrainingCurves.label(tick))</text>"
    }
    let steps = TrainingCurves.ticks(0, lastStep, width > 400 ? 8 : 4).filter { $0 <= lastStep && $0.rounded() == $0 }
    for tick in steps {
      let at = place((tick, low)).x
      text +=
        "<text class=\"tick\" x=\"\(at)\" y=\"\(fixed(area.top + area.height + 20, 1))\" text-anchor=\"middle\">\(TrainingCurves.label(tick))</text>"
    }
    text +=
      "<clipPath id=\"\(id)\"><rect x=\"\(area.left)\" y=\"\(area.top - 2)\" width=\"\(area.width + 6)\" height=\"\(area.height + 4)\"/></clipPath><g clip-path=\"url(#\(id))\">"
    for ((curve, points), line) in zip(curves, smooth) {
      guard let last = line.last, let first = line.first else { continue }
      let path = { (points: [(step: Double, value: Double)]) in
        points.enumerated().map { index, point in (index == 0 ? "M" : "L") + "\(place(point).x) \(place(point).y)" }
          .joined()
      }
      let floor = fixed(area.top + area.height, 1)
      if curves.count == 1 {
        text += "<path fill=\"url(#fade-\(curve.style))\" d=\"\(path(line))V\(floor)H\(place(first).x)Z\"/>"
      }
      if panel.isNoisy, points.count >= TrainingCurves.smoothedFrom {
        text += "<path class=\"raw \(curve.style)\" d=\"\(path(TrainingCurves.thinned(points)))\"/>"
      }
      text += "<path class=\"line \(curve.style)\" d=\"\(path(line))\"/>"
      text += "<circle class=\"dot \(curve.style)\" cx=\"\(place(last).x)\" cy=\"\(place(last).y)\" r=\"4\"/>"
    }
    text += "</g>"
    // The last values, from the right.
    var right = x + width - 18
    for ((curve, _), line) in zip(curves, smooth).reversed() {
      guard let last = line.last else { continue }
      let value = (panel.digits < 0 ? TrainingCurves.label(last.value) : fixed(last.value, panel.digits)) + panel.unit
      let words = curve.name.isEmpty ? "" : "<tspan class=\"soft\">\(curve.name)</tspan>"
      text +=
        "<text class=\"value \(curve.style)\" x=\"\(fixed(right, 1))\" y=\"\(y + 30)\" text-anchor=\"end\">\(words)<tspan dx=\"\(curve.name.isEmpty ? 0 : 6)\">\(value)</tspan></text>"
      right -= Double(curve.name.count + value.count) * 7.8 + 15
    }
    return text + "</g>"
  }

  /// At most 500 points, each a mean of consecutive ones.
  private static func thinned(_ points: [(step: Double, value: Double)]) -> [(step: Double, value: Double)] {
    let count = min(points.count, 500)
    return (0..<count).map { index in
      let part = points[(index * points.count / count)..<((index + 1) * points.count / count)]
      return (
        part.reduce(0) { $0 + $1.step } / Double(part.count), part.reduce(0) { $0 + $1.value } / Double(part.count)
      )
    }
  }

  /// With fewer points the line is not smoothed.
  private static let smoothedFrom = 40

  /// The mean of each point and its neighbours, on each side a fortieth of all points.
  private static func smoothed(_ points: [(step: Double, value: Double)]) -> [(step: Double, value: Double)] {
    let thin = thinned(points)
    let reach = thin.count / smoothedFrom
    return thin.indices.map { index in
      // The same number on both sides, so that the ends are unbiased.
      let own = min(reach, index, thin.count - 1 - index)
      let part = thin[(index - own)...(index + own)]
      return (thin[index].step, part.reduce(0) { $0 + $1.value } / Double(part.count))
    }
  }

  /// Tick values of a range: steps of 1, 2 or 5 times a power of ten.
  private static func ticks(_ low: Double, _ high: Double, _ count: Int) -> [Double] {
    let rough = (high - low) / Double(count)
    guard rough > 0, rough.isFinite else { return [low] }
    var power = 1.0
    while power > rough { power /= 10 }
    while power * 10 <= rough { power *= 10 }
    let step = [1, 2, 5, 10].map { $0 * power }.first { $0 >= rough } ?? power * 10
    let first = Int((low / step + 1e-9).rounded(.down))
    let last = Int((high / step - 1e-9).rounded(.up))
    return (first...max(first, last)).map { Double($0) * step }
  }

  /// "0.25", "12k", "5e-4"
  private static func label(_ value: Double) -> String {
    let size = value.magnitude
    if size < 1e-12 { return "0" }
    if size >= 10_000 { return trimmed(fixed(value / 1000, 1)) + "k" }
    if size >= 0.01 { return trimmed(fixed(value, size < 1 ? 3 : 2)) }
    var (mantissa, exponent) = (value, 0)
    while mantissa.magnitude < 0.9995 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
    return trimmed(fixed(mantissa, 2)) + "e\(exponent)"
  }

  private static func trimmed(_ digits: String) -> String {
    guard digits.contains(".") else { return digits }
    var digits = digits
    while digits.hasSuffix("0") { digits.removeLast() }
    if digits.hasSuffix(".") { digits.removeLast() }
    return digits
  }

  /// The colours of the analysis page, without variables, which some SVG viewers do not support.
  private static let style = """
    text { font: 12px system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
    .back { fill: #fff; } .card { fill: #f6f8fa; stroke: #d0d7de; } .grid { stroke: #d0d7de; fill: none; stroke-dasharray: 2 4; }
    .head { font-size: 24px; font-weight: 650; fill: #1b1f24; } .title { font-size: 14px; font-weight: 600; fill: #1b1f24; }
    .soft { fill: #57606a; font-weight: 400; } text.soft { font-size: 14px; } .tick { fill: #57606a; font-size: 11px; }
    .value { font-size: 13px; font-weight: 650; } tspan.soft { font-size: 13px; } .raw { fill: none; stroke-width: 1; opacity: .3; }
    .line { fill: none; stroke-width: 2.4; stroke-linejoin: round; stroke-linecap: round; }
    .line.a, .raw.a { stroke: #0b62c4; } .line.b, .raw.b { stroke: #b3450b; } .line.c, .raw.c { stroke: #0f7b6c; }
    .dot.a, .value.a { fill: #0b62c4; } .dot.b, .value.b { fill: #b3450b; } .dot.c, .value.c { fill: #0f7b6c; }
    .stop-a { stop-color: #0b62c4; } .stop-b { stop-color: #b3450b; } .stop-c { stop-color: #0f7b6c; }
    @media (prefers-color-scheme: dark) {
      .back { fill: #0f1318; } .card { fill: #181e25; stroke: #343c46; } .grid { stroke: #343c46; }
      .head, .title { fill: #e6edf3; } .soft, .tick { fill: #9aa6b2; }
      .line.a, .raw.a { stroke: #6cb0ff; } .line.b, .raw.b { stroke: #ffa066; } .line.c, .raw.c { stroke: #4fd1bd; }
      .dot.a, .value.a { fill: #6cb0ff; } .dot.b, .value.b { fill: #ffa066; } .dot.c, .value.c { fill: #4fd1bd; }
      .stop-a { stop-color: #6cb0ff; } .stop-b { stop-color: #ffa066; } .stop-c { stop-color: #4fd1bd; }
    }
    """
}
