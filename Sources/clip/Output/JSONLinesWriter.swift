/// Writes embeddings as JSON Lines: one object with kind, name and embedding a line.
enum JSONLinesWriter {
  static func write(_ sets: [EmbeddingSet], to writer: FileWriter) throws(CLIPError) {
    for set in sets {
      for (index, name) in set.names.enumerated() {
        let line: JSON = [
          "kind": .string(set.kind.rawValue), "name": .string(name), "embedding": .floats(set.embedding(index)),
        ]
        try writer.write(line.compact() + "\n")
      }
    }
  }
}
