import CClip
import ClipPluginKit
import FaissShim

/// Approximate search by FAISS (Douze et al., 2024), which is linked statically, without OpenMP and BLAS.
@c public func clip_plugin_entry() -> UnsafePointer<clip_plugin>? {
  PluginTable.plugin(id: "clipcore.neighbours-faiss", version: "0.1.0", license: "MIT") { table in
    table.add(
      clip_neighbours(
        struct_size: UInt32(MemoryLayout<clip_neighbours>.size),
        id: StaticString("clipcore.neighbours.faiss").cString,
        description: StaticString("FAISS: graphs of near rows (HNSW), lists of quantized rows (IVF-PQ)").cString,
        methods: StaticString("hnsw,ivf-pq").cString,
        build: { faiss_shim_build($0, $1, $2, $3) }, save: { faiss_shim_save($0, $1, $2, $3) },
        load: { faiss_shim_load($0, $1, $2, $3, $4, $5) }, search: { faiss_shim_search($0, $1, $2, $3, $4, $5) },
        uses_rows: { faiss_shim_uses_rows($0) }, memory_bytes: { faiss_shim_memory_bytes($0) },
        close: { faiss_shim_close($0) }))
  }
}
