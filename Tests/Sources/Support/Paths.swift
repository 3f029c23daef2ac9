import Foundation

/// Where things are in the repository that this file belongs to.
public enum Paths {
  public static let root = URL(filePath: #filePath).appending(path: "../../../..").standardized
  public static let fixtures = root.appending(path: "Tests/Fixtures")
  public static let images = fixtures.appending(path: "images")
  public static let build = root.appending(path: "build")
  public static let emoji = root.appending(path: "Models/emoji")

  /// The reference image's bytes.
  public static func image(_ name: String) -> URL { images.appending(path: name) }
}

/// A new empty folder, gone with its last reference.
public final class TemporaryFolder {
  public let url: URL

  public init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "clipcore-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  public func file(_ name: String) -> URL { url.appending(path: name) }
}
