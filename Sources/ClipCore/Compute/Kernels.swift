import CClip

/// The chosen kernel set, and the number of threads that work is divided for.
final class Kernels {
  let table: UnsafePointer<clip_kernels>
  let threads: Int
  /// Keeps the plugin that the table belongs to loaded.
  private let owner: AnyObject?

  init(table: UnsafePointer<clip_kernels>, threads: Int, owner: AnyObject?) {
    self.table = table
    self.threads = threads
    self.owner = owner
  }

  func supports(_ storage: clip_storage) -> Bool { table.pointee.storages & (1 << storage.rawValue) != 0 }

  /// The most rows of a tile.
  var tileRows: Int { max(1, Int(table.pointee.tile_rows)) }

  /// The number of tiles for `rows` rows.
  func tiles(_ rows: Int) -> Int { (rows + tileRows - 1) / tileRows }

  /// The size of packed rows in floats, a multiple of 16.
  func packedFloats(_ rows: Int, depth: Int, _ storage: clip_storage) -> Int {
    (table.pointee.packed_rows(rows, depth, storage) + 15) & ~15
  }

  /// y = x + z over dense rows; y may be x or z.
  func add(
    _ x: UnsafePointer<Float>, _ z: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, rows: Int, width: Int
  ) {
    table.pointee.add(x, width, z, width, y, width, rows, width)
  }
}
