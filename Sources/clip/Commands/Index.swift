import ArgumentParser
import Glibc

struct Index: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Keep an index of the images in folders, for clip search and clip duplicates.",
    usage: "clip index --model <dir> [<folder> ...] [<options>]",
    discussion: """
      Embeds the images that are new or changed since the last time and drops those that are gone; without a \
      folder, of all folders in the index. A file that was moved or copied is not embedded again. The images of a \
      folder that is away, such as one on a disk that is not mounted, stay in the index.

        clip index --model Models/emoji ~/Pictures

      Ctrl-C keeps what is done, and the next call goes on. Names that begin with a dot, and @eaDir, are left \
      out; --exclude and --follow-links are kept with their folders, and how images are decoded with the index.
      """)

  @OptionGroup var update: UpdateOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var place: IndexOptions

  @Argument(help: "Folders of images, to be in the index from now on.")
  var folders: [ByteString] = []

  @Option(
    help: ArgumentHelp(
      "Leaves out what a shell pattern matches: a name, or with a slash the path in the folder. May be repeated.",
      valueName: "pattern"))
  var exclude: [ByteString] = []

  @Flag(help: "Follow symbolic links.")
  var followLinks = false

  @Option(help: ArgumentHelp("Drop the images of a folder from the index. May be repeated.", valueName: "dir"))
  var forget: [ByteString] = []

  @Flag(help: "Go on, and keep the index up to date until a signal ends it.")
  var watch = false

  @OptionGroup var common: CommonOptions

  mutating func validate() throws {
    if folders.isEmpty && (!exclude.isEmpty || followLinks) {
      throw ValidationError("--exclude and --follow-links are for folders: expected one or more")
    }
  }

  func run() throws {
    let runtime = try common.runtime()
    let open = try OpenIndex(
      place.path(), runtime, update, images: images, threads: common.threadCount, creates: forget.isEmpty)
    guard try open.reserve() else { throw CLIPError("another command changes \(open.path.shown) now", status: .io) }
    Interruption.watch()
    for folder in forget { try self.forget(folder, open) }
    if !forget.isEmpty && folders.isEmpty { return }
    let chosen = try add(open)
    guard !open.settings.folders.isEmpty else {
      throw CLIPError("\(open.path.shown) has no folders: expected one or more to index")
    }
    try open.settings.write(of: open.path)
    var current = try open.scan(folders.isEmpty ? nil : chosen)
    try open.run(&current)
    try report(current.report, open)
    if watch { try self.watch(open, current.walked) }
    if current.report.isInterrupted || current.report.skipped > 0 { throw ExitCode(1) }
  }

  /// Adds the folders of the command line to the settings.
  private func add(_ open: OpenIndex) throws(CLIPError) -> [IndexedFolder] {
    var chosen: [IndexedFolder] = []
    for folder in folders {
      // A folder of the index may be missing now, and then has no real path.
      let isAway = folder.withCString({ access($0, F_OK) }) != 0
      let known = isAway ? open.settings.folders.firstIndex { $0.path == folder } : nil
      var entry = IndexedFolder(path: known == nil ? try folder.real : folder)
      var status = stat()
      if known == nil, entry.path.withCString({ stat($0, &status) }) != 0 || status.st_mode & S_IFMT != S_IFDIR {
        throw CLIPError("\(folder.shown): expected a folder")
      }
      let place = open.settings.folders.firstIndex { $0.path == entry.path }
      if exclude.isEmpty && !followLinks, let place {
        entry = open.settings.folders[place]
      } else {
        entry.rules = WalkRules(exclude: exclude, followsLinks: followLinks)
      }
      if let place { open.settings.folders[place] = entry } else { open.settings.folders.append(entry) }
      chosen.append(entry)
    }
    return chosen
  }

  private func forget(_ folder: ByteString, _ open: OpenIndex) throws {
    let path = (try? folder.real) ?? folder
    let paths = try open.index.paths(below: path)
    let isFolder = open.settings.folders.contains { $0.path.isBelow(path) }
    guard !paths.isEmpty || isFolder else {
      throw CLIPError(
        "\(open.path.shown) has no images of \(path.shown): expected a folder of the index", status: .notFound)
    }
    open.settings.folders.removeAll { $0.path.isBelow(path) }
    let outer = open.settings.folders.first { path.isBelow($0.path) }
    if let outer, !isFolder, !((try? names(in: path)) ?? []).isEmpty {
      throw CLIPError(
        "\(path.shown) is in \(outer.path.shown), which is indexed: expected --exclude for that folder, or the whole folder"
      )
    }
    open.settings.unusable.removeAll { $0.path.isBelow(path) }
    try open.settings.write(of: open.path)
    // Images that another folder of the index has stay.
    let dropped = outer == nil || !isFolder ? paths : []
    try open.index.remove(dropped.map(\.bytes))
    if !common.json {
      try StandardOutput.write("Dropped \(counted(dropped.count, "image")) of \(path.shown) from \(open.path.shown).\n")
    }
  }

  private func watch(_ open: OpenIndex, _ walked: [ByteString]) throws {
    let watch = try FolderWatch()
    var walked = walked
    while !Interruption.isAsked {
      try watch.add(walked)
      guard watch.wait() else { break }
      var next = try open.scan()
      walked = next.walked
      try open.run(&next)
      if next.report.isWorthTelling { try report(next.report, open) }
    }
  }

  private func report(_ report: IndexUpdate.Report, _ open: OpenIndex) throws {
    let count = try open.index.count()
    if common.json {
      let json = report.json(open.path, images: count)
      try StandardOutput.write(watch ? json.compact() + "\n" : json.pretty() + "\n")
    } else {
      report.tellWarnings()
      try StandardOutput.write("\(open.path.shown): " + report.line(images: count) + "\n")
    }
  }
}
