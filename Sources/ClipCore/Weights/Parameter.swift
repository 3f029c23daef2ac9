/// A tensor that an op takes from a checkpoint, as the encoder names it.
struct Parameter {
  let name: Name
  let shape: [Int]

  var count: Int { shape.reduce(1) { $0 &* $1 } }
}
