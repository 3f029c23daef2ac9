/// Writes embeddings as JSON Lines: an object with kind, name and embedding on each line.
enum JSONLinesWriter {
  static func write(_ all: [EmbeddingRows], to writer: FileWriter) throws(CLIPError) {
    for rows in all {
      try rows.forEach { name, bytes throws(CLIPError) in
        let line: JSON = [
          "kind": .string(rows.name), "name": .path(name), "embedding": .floats(rows.elements.row(bytes)[...]),
        ]
        try writer.write(line.compact() + "\n")
      }
    }
  }
}
