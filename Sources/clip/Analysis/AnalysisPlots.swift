/// The plots of the page, as SVG in HTML.
struct AnalysisPlots {
  private let report: AnalysisReport
  private let images: [Float]
  private let texts: [Float]
  private let width: Int

  init(_ report: AnalysisReport) {
    self.report = report
    images = report.pairs.images
    texts = report.pairs.texts
    width = report.width
  }

  var figures: [String] { [heatMap, components, histograms] }

  /// At most `limit` of the pairs, evenly spread.
  private func sample(_ limit: Int) -> [Int] {
    let n = report.count
    return n <= limit ? Array(0..<n) : (0..<limit).map { $0 * n / limit }
  }

  private func cosine(_ image: Int, _ text: Int) -> Double {
    var sum: Float = 0
    for column in 0..<width { sum += images[image * width + column] * texts[text * width + column] }
    return Double(sum)
  }

  private func figure(_ id: String, _ title: String, _ box: String, _ content: String, _ caption: String) -> String {
    """
    <figure><svg viewBox="\(box)" role="img" aria-labelledby="\(id)-title \(id)-text"><title id="\(id)-title">\(title)</title>
    \(content)</svg><figcaption id="\(id)-text"><strong>\(title).</strong> \(caption)</figcaption></figure>
    """
  }

  /// The cosines of all images (down) and captions (across).
  private var heatMap: String {
    let rows = sample(256)
    let scores = rows.map { image in rows.map { cosine(image, $0) } }
    let low = scores.joined().min() ?? 0
    let high = max(scores.joined().max() ?? 1, low + 1e-9)
    var map = Bitmap(width: rows.count, height: rows.count)
    for (y, line) in scores.enumerated() {
      for (x, score) in line.enumerated() {
        let color = AnalysisPlots.color((score - low) / (high - low))
        for part in 0..<3 { map.pixels[3 * (y * rows.count + x) + part] = color[part] }
      }
    }
    var bar = Bitmap(width: 64, height: 1)
    for x in 0..<64 {
      let color = AnalysisPlots.color(Double(x) / 63)
      for part in 0..<3 { bar.pixels[3 * x + part] = color[part] }
    }
    let content = """
      <image x="30" y="10" width="380" height="380" preserveAspectRatio="none" style="image-rendering:pixelated" href="\(map.dataURI)"/>
      <text x="220" y="408" text-anchor="middle">captions</text>
      <text x="18" y="200" text-anchor="middle" transform="rotate(-90 18 200)">images</text>
      <image x="120" y="416" width="200" height="10" preserveAspectRatio="none" href="\(bar.dataURI)"/>
      <text x="114" y="426" text-anchor="end">\(fixed(low, 2))</text><text x="326" y="426">\(fixed(high, 2))</text>
      """
    return figure(
      "heat", "Similarity", "0 0 440 434", content,
      "Cosine of \(rows.count == report.count ? "all" : "\(rows.count) evenly spread") images with their captions; pairs "
        + "lie on the diagonal. A bright column is a caption that is near to everything: a hub.")
  }

  /// Viridis (van der Walt and Smith), interpolated from eight of its colours: even in lightness, readable without
  /// colour.
  private static func color(_ value: Double) -> [UInt8] {
    let stops: [[Double]] = [
      [68, 1, 84], [70, 50, 127], [54, 92, 141], [39, 127, 142], [31, 161, 135], [74, 194, 109], [159, 218, 58],
      [253, 231, 37],
    ]
    let place = min(max(value, 0), 1) * 7
    let first = min(Int(place), 6)
    let share = place - Double(first)
    return (0..<3).map { part in
      let (from, to) = (stops[first][part], stops[first + 1][part])
      return UInt8(from + (to - from) * share)
    }
  }

  /// Images and captions along their two principal components.
  private var components: String {
    let chosen = sample(400)
    let rows = { (all: [Float]) in chosen.flatMap { all[($0 * width)..<(($0 + 1) * width)] } }
    let found = PrincipalComponents(rows(images) + rows(texts), width: width)
    let xs = found.places.map(\.x), ys = found.places.map(\.y)
    let (left, top) = (xs.min() ?? 0, ys.min() ?? 0)
    // Both axes have one scale, so that distances are comparable.
    let extent = max((xs.max() ?? 1) - left, (ys.max() ?? 1) - top, 1e-9)
    let at = { (index: Int) -> (x: String, y: String) in
      let x = (xs[index] - left) / extent
      let y = (ys[index] - top) / extent
      return (fixed(24 + x * 392, 1), fixed(391 - y * 368, 1))
    }
    var joins = ""
    var points = ""
    for index in chosen.indices {
      let (image, text) = (at(index), at(chosen.count + index))
      joins += "M\(image.x) \(image.y)L\(text.x) \(text.y)"
      points += "<circle class=\"image\" cx=\"\(image.x)\" cy=\"\(image.y)\" r=\"2.6\"/>"
      points +=
        "<rect class=\"text\" x=\"\(text.x)\" y=\"\(text.y)\" width=\"4.6\" height=\"4.6\" transform=\"translate(-2.3 -2.3)\"/>"
    }
    let content = """
      <rect class="axis" x="10" y="10" width="420" height="394"/><path class="join" d="\(joins)"/>\(points)
      <circle class="image" cx="24" cy="422" r="4"/><text class="image" x="34" y="426">images</text>
      <rect class="text" x="110" y="418" width="8" height="8"/><text class="text" x="124" y="426">captions</text>
      """
    return figure(
      "components", "First two principal components", "0 0 440 434", content,
      "Images (circles) and captions (squares), each pair joined by a line; \(percent(found.shares.0)) and "
        + "\(percent(found.shares.1)) of the variance. Two clouds that stand apart are the modality gap.")
  }

  /// Histograms of the cosines of pairs and of other combinations.
  private var histograms: String {
    let n = report.count
    let matched = report.main.pairs.map(\.cosine)
    // Each image with some captions of other pairs, evenly spread.
    let others = min(n - 1, 64)
    var unmatched: [Double] = []
    for image in 0..<n {
      for other in 0..<others { unmatched.append(cosine(image, (image + 1 + other * (n - 1) / others) % n)) }
    }
    let low = min(matched.min() ?? -1, unmatched.min() ?? -1)
    let extent = max(max(matched.max() ?? 1, unmatched.max() ?? 1) - low, 1e-9)
    let bins = 40
    let shares = { (values: [Double]) -> [Double] in
      var counts = [Double](repeating: 0, count: bins)
      let share = 1 / Double(values.count)
      for value in values {
        let place = (value - low) / extent * Double(bins)
        counts[max(0, min(bins - 1, Int(place)))] += share
      }
      return counts
    }
    let sides = [(name: "text", shares: shares(unmatched)), (name: "image", shares: shares(matched))]
    let highest = max(sides.flatMap(\.shares).max() ?? 1, 1e-9)
    var content = "<path class=\"axis\" d=\"M20 370H430\"/>"
    for (name, shares) in sides {
      var path = "M20 370"
      for (bin, share) in shares.enumerated() {
        let (right, upper) = (20 + 410 * Double(bin + 1) / Double(bins), 370 - share / highest * 340)
        path += "V\(fixed(upper, 1))H\(fixed(right, 1))"
      }
      content += "<path class=\"\(name)\" fill-opacity=\"\(name == "text" ? "0.45" : "0.7")\" d=\"\(path)V370Z\"/>"
    }
    for tick in 0...4 {
      let x = fixed(20 + 410 * Double(tick) / 4, 1)
      let anchor = tick == 0 ? "start" : tick == 4 ? "end" : "middle"
      content +=
        "<text x=\"\(x)\" y=\"388\" text-anchor=\"\(anchor)\">\(fixed(low + extent * Double(tick) / 4, 2))</text>"
    }
    content += """
      <text x="225" y="406" text-anchor="middle">cosine</text>
      <rect class="image" fill-opacity="0.7" x="20" y="418" width="10" height="10"/><text class="image" x="36" y="427">pairs</text>
      <rect class="text" fill-opacity="0.45" x="110" y="418" width="10" height="10"/><text class="text" x="126" y="427">others</text>
      """
    return figure(
      "histograms", "Cosines of pairs and of others", "0 0 440 434", content,
      "Shares of each. The less they overlap, the easier a match is to tell. Means: \(fixed(report.main.matchedMean, 3)) "
        + "and \(fixed(report.main.unmatchedMean, 3)).")
  }
}
