// swift-tools-version: 6.2
// Everything that becomes a .so is Embedded Swift: no Swift runtime in the user's process.
// Build through the Makefile: it links libclipcore.so before what links against it.
import PackageDescription

let root = Context.packageDirectory

/// The processor that is built for, as `uname -m` names it. scripts/cross sets it.
#if arch(arm64)
  let host = "aarch64"
#else
  let host = "x86_64"
#endif
let architecture = Context.environment["CLIPCORE_ARCH"] ?? host

let embedded: [SwiftSetting] = [
  .enableExperimentalFeature("Embedded"),
  .unsafeFlags([
    "-wmo", "-Xcc", "-D_GNU_SOURCE", "-Xcc", "-fno-asynchronous-unwind-tables", "-Xfrontend", "-function-sections",
  ]),
]

/// The core is compiled for size; its hot loops are in the kernel plugins.
let forSize = ["-Osize", "-Xllvm", "-enable-machine-outliner=always"]
let small = embedded + [.unsafeFlags(forSize)]

/// Exports only what `map` lists, and refuses to link with a symbol undefined. Swift's allocations go through ClipReserve.
func exporting(_ map: String, _ more: [String] = []) -> LinkerSetting {
  .unsafeFlags(
    [
      "-enable-experimental-feature", "Embedded", "-use-ld=lld",
      "-Xlinker", "--version-script=\(root)/\(map)", "-Xlinker", "-z", "-Xlinker", "defs",
      "-Xlinker", "--as-needed", "-lm", "-Xlinker", "--wrap=posix_memalign", "-Xlinker", "--wrap=free",
    ] + more)
}

/// Links lib<name>.so.1, which stays loaded, as small as can be.
func sharing(_ name: String, _ map: String, _ more: [String] = []) -> LinkerSetting {
  exporting(
    map,
    [
      "-Xlinker", "-soname=lib\(name).so.1", "-Xlinker", "-z", "-Xlinker", "nodelete", "-Xlinker", "--icf=all",
    ] + more)
}

/// A plugin of folder `plugins/<name>`, built as `lib<name>.so`. `links` names the libraries it
/// needs: Embedded Swift does not take them from module maps.
func plugin(
  _ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = [], flags: [String] = [],
  links: [String] = []
) -> Target {
  .target(
    name: name, dependencies: ["CClip", "CSystem", "ClipPluginKit"] + dependencies, path: "plugins/\(name)",
    exclude: exclude,
    swiftSettings: embedded + [.unsafeFlags(flags)],
    linkerSettings: [exporting("plugins/plugin.map")] + links.map { .linkedLibrary($0) })
}

func kernels(_ name: String, _ march: String, _ features: String...) -> Target {
  plugin(
    name, ["ClipKernels"],
    flags: ["-Ounchecked", "-Xcc", "-march=\(march)"] + features.flatMap { ["-Xcc", "-m\($0)"] })
}

let plugins: [Target] = [
  plugin("encoder_clip_vit"),
  plugin("encoder_clip_resnet"),
  plugin("encoder_clip_text"),
  plugin("encoder_resnet50"),
  plugin("encoder_efficientnet_b0"),
  plugin("encoder_vit"),
  plugin("encoder_hierarchical"),
  plugin("encoder_vision_transformer"),
  plugin("encoder_hybrid"),
  plugin("encoder_multiscale"),
  plugin("encoder_bert"),
  plugin("encoder_text_transformer"),
  plugin("encoder_siglip"),
  plugin("augment_image"),
  plugin("augment_text", ["CUtf8proc"], links: ["utf8proc"]),
  plugin("augment_translate"),
  plugin("augment_jpeg", ["CTurboJPEG"], links: ["turbojpeg"]),
  plugin("codec_jpeg", ["CTurboJPEG"], links: ["turbojpeg"]),
  plugin("codec_png", ["CSpng"], links: ["spng"]),
  plugin("codec_webp", ["CWebP"], links: ["webp", "webpdemux"]),
  plugin("codec_bmp"),
  plugin("codec_gif", ["CGIF"], links: ["gif"]),
  plugin("codec_tiff", ["CTIFF"], links: ["tiff"]),
  plugin("codec_heif", ["CHEIF"], links: ["heif"]),
  plugin("codec_jxl", ["CJXL"], links: ["jxl"]),
  plugin("weights_pytorch"),
  plugin("kernels_openblas", ["ClipKernels", "COpenBLAS"], flags: ["-Ounchecked"], links: ["openblas"]),
  plugin("loader_ffi", ["ClipBase", "ClipFFI"]),
  plugin("tokenizer_subword", ["ClipBase", "CUtf8proc"], flags: forSize, links: ["utf8proc"]),
  plugin("neighbours_faiss", ["FaissShim"], exclude: ["Shim"], links: ["faiss", "stdc++"]),
]

/// One for each instruction set.
let kernelSets: [String: [Target]] = [
  "x86_64": [
    kernels("kernels_x86_64", "x86-64"),
    kernels("kernels_x86_64_v3", "x86-64-v3"),
    kernels("kernels_x86_64_v4", "x86-64-v4"),
    kernels("kernels_x86_64_v4_vnni", "x86-64-v4", "avx512vnni"),
    kernels("kernels_x86_64_v4_bf16", "x86-64-v4", "avx512vnni", "avx512bf16"),
  ],
  "aarch64": [
    kernels("kernels_arm64", "armv8-a"),
    kernels("kernels_arm64_dot", "armv8.2-a+dotprod"),
  ],
]
/// scripts/build-sanitized compiles some alone.
let chosenSets = Context.environment["CLIPCORE_KERNEL_SETS"]?.split(separator: " ").map(String.init)
let allPlugins = plugins + kernelSets[architecture, default: []].filter { chosenSets?.contains($0.name) ?? true }

/// Full Swift, over the headers. `make` compiles it beside the libraries, in a scratch folder of its own.
let swift: [Target] =
  Context.environment["CLIPCORE_EMBEDDED_ALONE"] != nil
  ? []
  : [
    // Where the installed library is; `pkg-config clipcore` says it.
    .systemLibrary(name: "CClipcore", path: "Sources/CClipcore", pkgConfig: "clipcore"),
    .target(
      name: "CLIP", dependencies: ["CClip", "CClipcore"],
      swiftSettings: [.enableUpcomingFeature("InternalImportsByDefault")],
      linkerSettings: [.linkedLibrary("clipcore")]),
    .target(
      name: "CLIPTools", dependencies: ["CLIP", "CClip"],
      swiftSettings: [.enableUpcomingFeature("InternalImportsByDefault")],
      linkerSettings: [.linkedLibrary("cliptools")]),
    .target(
      name: "CLIPIndex", dependencies: ["CLIP", "CClip"],
      swiftSettings: [.enableUpcomingFeature("InternalImportsByDefault")],
      linkerSettings: [.linkedLibrary("clipindex")]),
    .executableTarget(
      name: "clip",
      dependencies: [
        "CLIP", "CLIPTools", "CLIPIndex", "CClip", "CJansson", "CSpng",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      linkerSettings: [.linkedLibrary("jansson"), .linkedLibrary("spng")]),
  ]

func library(_ name: String, _ package: String) -> Target {
  .systemLibrary(name: name, path: "Sources/\(name)", providers: [.apt([package])])
}

let package = Package(
  name: "clipcore",
  products: [
    .library(name: "clipcore", type: .dynamic, targets: ["ClipCore"]),
    .library(name: "CClip", targets: ["CClip"]),
    .library(name: "cliptools", type: .dynamic, targets: ["ClipData"]),
    .library(name: "clipindex", type: .dynamic, targets: ["ClipIndex"]),
  ] + allPlugins.map { .library(name: $0.name, type: .dynamic, targets: [$0.name]) }
    + swift.filter { ["CLIP", "CLIPTools", "CLIPIndex"].contains($0.name) }.map {
      .library(name: $0.name, targets: [$0.name])
    },
  dependencies: [.package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")],
  targets: [
    .systemLibrary(name: "CClip", path: "Include"),
    .systemLibrary(name: "CSystem", path: "Sources/CSystem"),
    library("CJansson", "libjansson-dev"),
    library("CUtf8proc", "libutf8proc-dev"),
    library("CTurboJPEG", "libturbojpeg0-dev"),
    library("CSpng", "libspng-dev"),
    library("CWebP", "libwebp-dev"),
    library("CGIF", "libgif-dev"),
    library("CTIFF", "libtiff-dev"),
    library("CHEIF", "libheif-dev"),
    library("CJXL", "libjxl-dev"),
    library("COpenBLAS", "libopenblas-dev"),
    library("CFFI", "libffi-dev"),
    library("CSQLite", "libsqlite3-dev"),
    .target(name: "ClipReserve", dependencies: ["CSystem"], swiftSettings: embedded),
    .target(name: "ClipBase", dependencies: ["CClip", "CSystem", "ClipReserve"], swiftSettings: small),
    .target(
      name: "ClipCore", dependencies: ["CClip", "CSystem", "ClipBase", "ClipKernels"],
      exclude: ["clipcore.map"], swiftSettings: small,
      linkerSettings: [sharing("clipcore", "Sources/ClipCore/clipcore.map")]),
    .target(name: "ClipFFI", dependencies: ["CClip", "CSystem", "CFFI", "ClipBase"], swiftSettings: small),
    .target(
      name: "ClipData", dependencies: ["CClip", "CSystem", "CFFI", "ClipBase", "ClipFFI"],
      exclude: ["cliptools.map"], swiftSettings: small,
      linkerSettings: [
        sharing(
          "cliptools", "Sources/ClipData/cliptools.map",
          ["-Xlinker", "-rpath", "-Xlinker", "$ORIGIN"]), .linkedLibrary("clipcore"),
      ]),
    .target(
      name: "ClipIndex", dependencies: ["CClip", "CSystem", "CSQLite", "ClipBase"],
      exclude: ["clipindex.map"], swiftSettings: embedded,
      linkerSettings: [
        sharing(
          "clipindex", "Sources/ClipIndex/clipindex.map",
          ["-Xlinker", "-rpath", "-Xlinker", "$ORIGIN"]), .linkedLibrary("clipcore"), .linkedLibrary("sqlite3"),
      ]),
    .target(
      name: "ClipKernels", dependencies: ["CClip", "CSystem"], swiftSettings: embedded + [.unsafeFlags(["-Osize"])]),
    .target(
      name: "FaissShim", path: "plugins/neighbours_faiss/Shim", publicHeadersPath: ".",
      cxxSettings: [.unsafeFlags(["-fvisibility=hidden"])]),
    .target(name: "ClipPluginKit", dependencies: ["CClip", "CSystem", "ClipReserve"], swiftSettings: embedded),
  ] + allPlugins + swift,
  cxxLanguageStandard: .cxx17)
