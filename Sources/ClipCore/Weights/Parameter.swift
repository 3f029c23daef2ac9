/// A tensor that an op takes from the model folder, under the encoder's name for it.
struct Parameter {
  let name: Name
  let shape: [Int]

  var count: Int { shape.reduce(1) { $0 &* $1 } }
}
