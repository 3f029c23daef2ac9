// swift-tools-version: 6.2
import PackageDescription

func product(_ name: String) -> Target.Dependency { .product(name: name, package: "clipcore") }

let package = Package(
  name: "embed",
  dependencies: [.package(name: "clipcore", path: "../..")],
  targets: [
    .executableTarget(name: "embed", dependencies: [product("CLIP")], path: ".", exclude: ["examples"], sources: ["embed.swift"]),
    .executableTarget(
      name: "examples", dependencies: [product("CLIP"), product("CLIPTools"), product("CLIPIndex")], path: "examples"),
  ])
