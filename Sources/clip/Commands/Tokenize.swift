import ArgumentParser

struct Tokenize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the tokens a model makes of texts.",
    usage: "clip tokenize --model <dir> <text> ... [<options>]",
    discussion: """
      Prints token ids from the start token to the end token, without padding.

        clip tokenize --model Models/emoji "a photo of a cat"
      """)

  @OptionGroup var model: ModelOptions

  @Argument(help: ArgumentHelp("Texts.", valueName: "text"))
  var texts: [ByteString]

  @OptionGroup var options: TextOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let model = try self.model.open(try common.runtime(), [.text])
    var rows: [(text: ByteString, tokens: [Int32])] = []
    for (index, text) in texts.enumerated() {
      let line = try text.utf8
      do throws(CLIPError) {
        rows.append((text, try model.tokenize([line], options: options.encode)[0]))
      } catch {
        throw try model.tooLong(error, [line], index, options.encode)
      }
    }
    try StandardOutput.write(common.json ? json(rows, model).pretty() + "\n" : table(rows))
  }

  private func table(_ rows: [(text: ByteString, tokens: [Int32])]) -> String {
    var table = Table([("text", .left), ("length", .right), ("tokens", .left)])
    for (text, tokens) in rows {
      table.add([text.shown, "\(tokens.count)", tokens.map { "\($0)" }.joined(separator: " ")])
    }
    return table.text()
  }

  private func json(_ rows: [(text: ByteString, tokens: [Int32])], _ model: Model) -> JSON {
    let list = rows.map { text, tokens -> JSON in
      [
        "text": .string(text.text), "length": .integer(tokens.count),
        "tokens": .array(tokens.map { .integer(Int($0)) }),
      ]
    }
    return ["context_length": .integer(model.info.contextLength), "texts": .array(list)]
  }
}
