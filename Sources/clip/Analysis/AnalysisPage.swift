/// The report as one self-contained HTML file: styles and plots inside, no script.
struct AnalysisPage {
  private let report: AnalysisReport

  init(_ report: AnalysisReport) { self.report = report }

  var html: String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
    <title>Do images and captions meet? \(escaped(report.model))</title>
    <style>
    \(AnalysisPage.style)
    </style>
    </head>
    <body>
    <header>
    <h1>Do images and captions meet?</h1>
    <p>\(escaped(report.model)) on \(counted(report.count, "pair")) of \(escaped(report.data.joined(separator: ", ")))\
    \(report.pairs.skipped > 0 ? "; left out as bad: \(report.pairs.skipped)" : "")</p>
    </header>
    <main>
    \(tiles)
    <section aria-labelledby="plots"><h2 id="plots">Plots</h2>
    <div class="plots">
    \(AnalysisPlots(report).figures.joined(separator: "\n"))
    </div></section>
    \(numbers)
    \(hardest)
    </main>
    </body>
    </html>

    """
  }

  /// The most important measures, in large type.
  private var tiles: String {
    let facts = report.main
    let removed = facts.gap > 0 ? 1 - facts.shiftedGap / facts.gap : 0
    let items = [
      (percent(facts.imageToText.recallAt1), "captions found first", "recall at 1, image to caption"),
      (percent(facts.textToImage.recallAt1), "images found first", "recall at 1, caption to image"),
      (fixed(facts.gap, 2), "modality gap", "a shift removes \(percent(removed)) of it"),
      (
        fixed(facts.bestLogitScale, 1), "best logit scale",
        "the model's is \(fixed(facts.logitScale, 1)); loss \(fixed(facts.bestLoss, 2)) instead of "
          + fixed((facts.imageToText.loss + facts.textToImage.loss) / 2, 2)
      ),
    ]
    return "<ul class=\"tiles\">"
      + items.map { "<li><strong>\($0.0)</strong> \($0.1)<small>\($0.2)</small></li>" }.joined() + "</ul>"
  }

  /// All measures: a row for each, with a column for the captions and for each kind of variants.
  private var numbers: String {
    var rows: [(title: String, meaning: String, cells: [String])] = []
    let facts = report.captions.map(\.analysis)
    func add(_ title: String, _ meaning: String, _ digits: Int = 3, _ value: (Analysis) -> Double) {
      rows.append((title, meaning, facts.map { fixed(value($0), digits) }))
    }
    if report.captions.count > 1 {
      rows.append(
        (
          "Captions changed", "share that the pipeline made different",
          report.captions.map { $0.changed.map(percent) ?? "" }
        ))
      rows.append(
        (
          "Cosine with the caption", "1: means the same to the model",
          report.captions.map { $0.cosine.map { fixed($0, 3) } ?? "" }
        ))
    }
    let ways: [(String, (Analysis) -> Retrieval)] = [
      ("image to caption", { $0.imageToText }), ("caption to image", { $0.textToImage }),
    ]
    for (name, way) in ways {
      add("Recall at 1, \(name)", "share of matches that come first") { way($0).recallAt1 }
      add("Recall at 5, \(name)", "among the first five") { way($0).recallAt5 }
      add("Recall at 10, \(name)", "among the first ten") { way($0).recallAt10 }
      add("Median rank, \(name)", "1 is best", 1) { way($0).medianRank }
      add("Loss, \(name)", "cross entropy in nats, 0 is best") { way($0).loss }
      add("Calibration error, \(name)", "0: as often right as it is sure") { way($0).calibrationError }
      add("Hubness, \(name)", "0: none is near to everything", 2) { way($0).hubness }
    }
    add("Modality gap", "distance of the two centroids") { $0.gap }
    add("Gap after a shift", "both sides moved together by half of it") { $0.shiftedGap }
    add("Recall at 1 after the shift, image to caption", "more: the gap was in the way") {
      $0.shiftedImageToText.recallAt1
    }
    add("Recall at 1 after the shift, caption to image", "") { $0.shiftedTextToImage.recallAt1 }
    add("Loss after the shift, mean of both ways", "") {
      ($0.shiftedImageToText.loss + $0.shiftedTextToImage.loss) / 2
    }
    add("Alignment", "mean squared distance of pairs, 0 is best") { $0.alignment }
    add("Uniformity of images", "lower: more evenly spread") { $0.imageUniformity }
    add("Uniformity of captions", "lower: more evenly spread") { $0.textUniformity }
    add("Cosine of pairs", "mean") { $0.matchedMean }
    add("Cosine of others", "mean") { $0.unmatchedMean }
    add("Best logit scale", "where the loss is least", 2) { $0.bestLogitScale }
    add("Loss there", "") { $0.bestLoss }
    add("Calibration error there", "") { $0.bestCalibrationError }
    let head = report.captions.map { "<th scope=\"col\">\(escaped($0.name))</th>" }.joined()
    let body = rows.map { row in
      "<tr><th scope=\"row\">\(row.title)<small>\(row.meaning)</small></th>"
        + row.cells.map { "<td>\($0)</td>" }.joined() + "</tr>"
    }
    return """
      <section aria-labelledby="numbers"><h2 id="numbers">Numbers</h2>
      <div class="scroll" tabindex="0" role="region" aria-labelledby="numbers"><table><thead><tr><td></td>\(head)</tr></thead>
      <tbody>
      \(body.joined(separator: "\n"))
      </tbody></table></div></section>
      """
  }

  private var hardest: String {
    let items = report.main.hardest.prefix(AnalysisReport.shown).map { index -> String in
      let pair = report.main.pairs[index]
      let (text, image) = (pair.otherText, pair.otherImage)
      return """
        <li><div class="images">\(imageTag(index))\(pair.imageRank > 1 ? imageTag(image, small: true) : "")</div>
        <p><q>\(caption(index))</q></p>
        <p><small>Caption at rank \(pair.textRank)\(pair.textRank > 1 ? ", behind <q>\(caption(text))</q>" : "")<br>\
        Image at rank \(pair.imageRank)\(pair.imageRank > 1 ? ", behind that of <q>\(caption(image))</q>, shown small" : "")<br>\
        Loss \(fixed(pair.hardness, 2)), cosine \(fixed(pair.cosine, 3)), key \(escaped(report.pairs.keys[index]))</small></p></li>
        """
    }
    return """
      <section aria-labelledby="hardest"><h2 id="hardest">The hardest pairs</h2>
      <p>Those with the largest loss, the hardest first: rare things, captions that say something else, or pairs that \
      are wrong.</p>
      <ol class="cards">
      \(items.joined(separator: "\n"))
      </ol></section>
      """
  }

  private func imageTag(_ index: Int, small: Bool = false) -> String {
    guard index < report.pairs.thumbnails.count else { return "" }
    let thumbnail = report.pairs.thumbnails[index]
    return "<img\(small ? " class=\"small\"" : "") width=\"\(thumbnail.width)\" height=\"\(thumbnail.height)\" "
      + "alt=\"Image of the pair: \(caption(index))\" src=\"\(thumbnail.dataURI)\">"
  }

  private func caption(_ index: Int) -> String { escaped(report.pairs.captions[index], limit: 120) }

  /// Colours for light and dark mode. Text has a contrast above 4.5.
  private static let style = """
    :root { --back: #fff; --fore: #1b1f24; --soft: #57606a; --line: #d0d7de; --card: #f6f8fa; --image: #0b62c4; --text: #b3450b; }
    @media (prefers-color-scheme: dark) {
      :root { --back: #0f1318; --fore: #e6edf3; --soft: #9aa6b2; --line: #343c46; --card: #181e25; --image: #6cb0ff; --text: #ffa066; }
    }
    * { box-sizing: border-box; }
    body { margin: 0 auto; max-width: 72rem; padding: 1.5rem; background: var(--back); color: var(--fore);
      font: 1rem/1.5 system-ui, sans-serif; }
    h1 { font-size: 1.7rem; margin: 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .6rem; }
    header p, figcaption, small { color: var(--soft); } small { display: block; font-size: .84rem; }
    .tiles, .cards { list-style: none; padding: 0; display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); }
    .tiles li, .cards li, figure { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; margin: 0; }
    .tiles strong { display: block; font-size: 1.9rem; line-height: 1.2; }
    .plots { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); }
    figure svg { width: 100%; height: auto; display: block; } figcaption { font-size: .9rem; margin-top: .5rem; } figcaption strong { color: var(--fore); }
    svg text { fill: var(--soft); font: 12px system-ui, sans-serif; } svg .axis { stroke: var(--line); fill: none; }
    .image { fill: var(--image); } .text { fill: var(--text); } .join { stroke: var(--soft); stroke-width: .8; stroke-opacity: .4; }
    svg text.image { fill: var(--image); } svg text.text { fill: var(--text); }
    .scroll { overflow-x: auto; } table { border-collapse: collapse; min-width: min(40rem, 100%); }
    th, td { text-align: right; padding: .3rem .8rem; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
    tbody th { text-align: left; font-weight: 500; } .cards p { margin: .5rem 0 0; overflow-wrap: anywhere; }
    .images { display: flex; align-items: end; gap: .6rem; min-height: 96px; } .images img { background: #fff; border-radius: .25rem; }
    .images .small { width: 48px; height: auto; } :focus-visible { outline: 2px solid var(--image); }
    @media print {
      :root { --back: #fff; --fore: #000; --soft: #333; --line: #999; --card: #fff; --image: #0b62c4; --text: #b3450b; }
      body { max-width: none; padding: 0; font-size: 10pt; } li, figure, tr { break-inside: avoid; } h2 { break-after: avoid; }
      * { print-color-adjust: exact; }
    }
    """
}

/// Escapes text for HTML, attributes included, and shows control characters as escapes.
func escaped(_ text: String, limit: Int = .max) -> String {
  let shown = visible(text)
  var result = ""
  for character in shown.count > limit ? shown.prefix(limit) + "…" : shown[...] {
    switch character {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    default: result.append(character)
    }
  }
  return result
}

/// "12.5 %"
func percent(_ share: Double) -> String { fixed(share * 100, 1) + " %" }
