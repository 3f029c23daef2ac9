import Foundation
import Support
import Testing

/// The core's folders are layers: a file may name what its own folder or a lower one declares. The order is that of the
/// table in docs/architecture.md.
struct LayerTests {
  private struct Source {
    let layer: String
    let path: String
    /// Without comments and string literals.
    let code: String
  }

  private static let core = Paths.root.appending(path: "Sources/ClipCore")

  /// Rows "| `Sources/ClipCore/<layer>` | …", lowest first.
  private static func layers() throws -> [String] {
    let page = try String(contentsOf: Paths.root.appending(path: "docs/architecture.md"), encoding: .utf8)
    return page.matches(of: /(?m)^\| `Sources\/ClipCore\/(\w+)` \|/).map { String($0.1) }
  }

  private static func sources() throws -> [Source] {
    let files = FileManager.default.enumerator(at: core, includingPropertiesForKeys: nil)
    var sources: [Source] = []
    while let file = files?.nextObject() as? URL {
      guard file.pathExtension == "swift" else { continue }
      let path = String(file.path.dropFirst(core.path.count + 1))
      let text = try String(contentsOf: file, encoding: .utf8)
      let code = text.replacing(/"""[^"]*"""/, with: "\"\"").replacing(/\/\/.*/, with: "")
        .replacing(/"(?:\\.|[^"\\\n])*"/, with: "\"\"")
      sources.append(Source(layer: String(path.prefix { $0 != "/" }), path: path, code: code))
    }
    return sources
  }

  /// Names that each layer declares: those at the top of a file that others may see, and all.
  private static func declarations(_ sources: [Source]) -> (visible: [String: Set<String>], all: [String: Set<String>])
  {
    let declaration =
      /(?m)^([ \t]*)((?:@\w+(?:\([^)]*\))? +|[a-z]+(?:\(\w+\))? +)*)(?:class|struct|enum|protocol|typealias|func) +(\w+)/
    var visible: [String: Set<String>] = [:]
    var all: [String: Set<String>] = [:]
    for source in sources {
      for match in source.code.matches(of: declaration) {
        let name = String(match.3)
        all[source.layer, default: []].insert(name)
        if match.1.isEmpty, !match.2.contains("private") { visible[source.layer, default: []].insert(name) }
      }
    }
    return (visible, all)
  }

  /// The identifiers of some code that do not follow a dot, and those of them that are called.
  private static func identifiers(_ code: String) -> (all: Set<String>, called: Set<String>) {
    var all: Set<String> = []
    var called: Set<String> = []
    var word: [UInt8] = []
    var before = UInt8(ascii: " ")
    for byte in code.utf8 {
      let isLetter = byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z") || byte == UInt8(ascii: "_")
      if isLetter || !word.isEmpty && byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") {
        word.append(byte)
        continue
      }
      if !word.isEmpty, before != UInt8(ascii: ".") {
        let name = String(decoding: word, as: UTF8.self)
        all.insert(name)
        if byte == UInt8(ascii: "(") { called.insert(name) }
      }
      word = []
      before = byte
    }
    return (all, called)
  }

  /// "Graph/Run.swift names Trainer of Training", for every name that points up.
  private static func upwardEdges(_ sources: [Source], _ layers: [String]) -> [String] {
    let (visible, all) = declarations(sources)
    var edges: [String] = []
    for source in sources {
      guard let own = layers.firstIndex(of: source.layer) else { continue }
      let (words, calls) = identifiers(source.code)
      for higher in layers[(own + 1)...] {
        for name in visible[higher] ?? [] where all[source.layer]?.contains(name) != true {
          // A function counts where it is called; its name may be a label or a variable elsewhere.
          guard (name.first?.isLowercase == true ? calls : words).contains(name) else { continue }
          if layers[...own].contains(where: { visible[$0]?.contains(name) == true }) { continue }
          edges.append("\(source.path) names \(name) of \(higher)")
        }
      }
    }
    return edges.sorted()
  }

  @Test func foldersAreTheLayersOfTheTable() throws {
    let folders = Set(try Self.sources().map(\.layer))
    #expect(folders == Set(try Self.layers()))
  }

  @Test func noLayerNamesAHigherOne() throws {
    let edges = Self.upwardEdges(try Self.sources(), try Self.layers())
    #expect(edges.isEmpty, "\(edges.joined(separator: "\n"))")
  }

  /// "Follow an image to its embedding": the files that a reader is sent to exist, 30 at most before the kernels.
  @Test func thePathOfAnImageIsThere() throws {
    let page = try String(contentsOf: Paths.root.appending(path: "docs/architecture.md"), encoding: .utf8)
    let start = try #require(page.range(of: "## Follow an image"))
    let rows = page[start.upperBound...].prefix(while: { $0 != "#" }).split(separator: "\n").filter {
      $0.hasPrefix("|")
    }
    var files: [String] = []
    for row in rows {
      var folder = ""
      for match in row.matches(of: /`([\w\/]+\/)?(\w+\.(?:swift|h))`/) {
        folder = match.1.map(String.init) ?? folder
        files.append(folder + match.2)
      }
    }
    let missing = files.filter { !FileManager.default.fileExists(atPath: Paths.root.appending(path: $0).path) }
    #expect(missing.isEmpty, "\(missing)")
    #expect((10...30).contains(files.count { !$0.hasPrefix("Sources/ClipKernels/") }))
  }

  @Test func anEdgeThatPointsUpIsFound() {
    let low = Source(
      layer: "Low", path: "Low/A.swift", code: "struct A { var b: B }\nlet x = helper(1)\nlet helper2 = x.C")
    let high = Source(
      layer: "High", path: "High/B.swift",
      code: "final class B {}\nfunc helper(_ i: Int) {}\nstruct C {}\nprivate struct A {}")
    #expect(
      Self.upwardEdges([low, high], ["Low", "High"]) == [
        "Low/A.swift names B of High", "Low/A.swift names helper of High",
      ])
    #expect(Self.upwardEdges([high, low], ["High", "Low"]).isEmpty)
  }
}
