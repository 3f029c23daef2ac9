// swift-tools-version: 6.2
// The tests use the library as any program does: through the module CLIP, and the headers where a call is malformed.
// Run them with `make test`.
import PackageDescription

let library = "\(Context.packageDirectory)/../build/lib"

let package = Package(
  name: "clipcore-tests",
  dependencies: [.package(name: "clipcore", path: "..")],
  targets: [
    .systemLibrary(name: "CMalloc", path: "CMalloc"),
    .target(
      name: "Support", swiftSettings: [.unsafeFlags(["-Ounchecked"], .when(configuration: .release))]),
    .executableTarget(name: "make-model", dependencies: ["Support"]),
    .testTarget(
      name: "Suites",
      dependencies: [
        "CMalloc", "Support", .product(name: "CLIP", package: "clipcore"),
        .product(name: "CLIPTools", package: "clipcore"),
        .product(name: "CClip", package: "clipcore"),
      ],
      path: "Suites",
      linkerSettings: [.unsafeFlags(["-L", library, "-Xlinker", "-rpath", "-Xlinker", library])]),
  ]
)
