/// How many rows a value has for one item of the batch.
enum Rows: Equatable {
  case one
  /// A number of rows, the same for every item: an image's.
  case fixed(Int)
  /// One row for each token, so the number differs between items.
  case tokens
}

/// Shape of a value: rows x width for each item; a grid when its rows are pixels.
struct Shape {
  var rows: Rows
  var width: Int
  var grid: Grid?

  struct Grid: Equatable {
    var height: Int
    var width: Int
  }

  static func grid(_ height: Int, _ width: Int, channels: Int) -> Shape {
    Shape(rows: .fixed(height * width), width: channels, grid: Grid(height: height, width: width))
  }

  /// For messages: "50 rows x 768", "14 x 14 grid x 1024".
  var text: String {
    if let grid { return "\(grid.height) x \(grid.width) grid x \(width)" }
    switch rows {
    case .one: return "1 row x \(width)"
    case .fixed(let count): return "\(count) rows x \(width)"
    case .tokens: return "token rows x \(width)"
    }
  }
}
