import CClip
import ClipPluginKit

@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.weights-pytorch", version: "0.1.0", license: "Apache-2.0") { table in
    table.add(
      clip_weight_format(
        struct_size: UInt32(MemoryLayout<clip_weight_format>.size),
        id: StaticString("clipcore.weights.pytorch").cString,
        description: StaticString("PyTorch's .bin, .pt and .pth files: tensors alone, nothing is run").cString,
        recognises: { data, size in ZipArchive.recognises(data, size) || LegacyFile.recognises(data, size) ? 1 : 0 },
        read: { data, size, visit, host, error in
          reporting(error) { () throws(PluginFailure) in
            let file = UnsafeBufferPointer(start: data, count: size)
            let weights = ZipArchive.recognises(data, size) ? try readArchive(file) : try LegacyFile.read(file)
            try weights.visit(visit, host)
          }
        }))
  }
}
