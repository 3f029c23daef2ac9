/// Rows of text in aligned columns.
struct Table {
  enum Alignment { case left, right }

  private let columns: [(title: String, alignment: Alignment)]
  private var rows: [[String]] = []

  /// Columns with titles. If all titles are empty, there is no title line.
  init(_ columns: [(title: String, alignment: Alignment)]) {
    self.columns = columns
  }

  mutating func add(_ cells: [String]) {
    rows.append(cells)
  }

  /// Lines that end with a newline, each after `indent` spaces.
  func text(indent: Int = 0) -> String {
    let titles = columns.map(\.title)
    let lines = (titles.allSatisfy(\.isEmpty) ? [] : [titles]) + rows
    let widths = columns.indices.map { column in
      lines.map { column < $0.count ? displayWidth($0[column]) : 0 }.max() ?? 0
    }
    var text = ""
    for line in lines {
      var row = String(repeating: " ", count: indent)
      for (column, cell) in line.prefix(columns.count).enumerated() {
        let padding = String(repeating: " ", count: widths[column] - displayWidth(cell))
        row += columns[column].alignment == .right ? padding + cell : cell + padding
        if column + 1 < line.count { row += "  " }
      }
      while row.last == " " { row.removeLast() }
      text += row + "\n"
    }
    return text
  }
}

/// A number with `digits` digits after its point, such as "12.50".
func fixed(_ value: Double, _ digits: Int) -> String {
  var scale = 1
  for _ in 0..<digits { scale *= 10 }
  guard let scaled = Int(exactly: (value.magnitude * Double(scale)).rounded()) else { return "\(value)" }
  let sign = value < 0 && scaled > 0 ? "-" : ""
  guard digits > 0 else { return "\(sign)\(scaled)" }
  let fraction = String(scaled % scale)
  return "\(sign)\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
}

/// A count with a space between thousands: "151 277 313".
func grouped(_ value: UInt64) -> String {
  let digits = Array(String(value))
  var text = ""
  for (index, digit) in digits.enumerated() {
    if index > 0 && (digits.count - index) % 3 == 0 { text.append(" ") }
    text.append(digit)
  }
  return text
}

/// "1 image", "2 images".
func counted(_ count: Int, _ noun: String) -> String {
  "\(count) \(noun)\(count == 1 ? "" : "s")"
}
