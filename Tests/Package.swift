// swift-tools-version: 6.2
// The tests use the library as anyone does: through clip.h and the linker. Run them with `make test`.
import PackageDescription

let library = "\(Context.packageDirectory)/../build/lib"

let package = Package(
  name: "clipcore-tests",
  targets: [
    .systemLibrary(name: "CClip", path: "CClip"),
    .target(
      name: "Support", dependencies: ["CClip"],
      swiftSettings: [.unsafeFlags(["-Ounchecked"], .when(configuration: .release))]),
    .executableTarget(name: "make-model", dependencies: ["Support"]),
    .testTarget(
      name: "Suites", dependencies: ["Support", "CClip"], path: "Suites",
      linkerSettings: [
        .linkedLibrary("clipcore"),
        .unsafeFlags(["-L", library, "-Xlinker", "-rpath", "-Xlinker", library]),
      ]),
  ]
)
