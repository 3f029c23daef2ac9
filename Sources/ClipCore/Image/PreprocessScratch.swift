import CClip

/// Working memory of preprocessing, kept between calls so that later calls need not allocate. It grows to
/// what the largest image needs. For one thread at a time.
final class PreprocessScratch {
  var horizontal = GrowingBuffer()
  var vertical = GrowingBuffer()
  var rows = GrowingBuffer()
  var bytes = GrowingBuffer()

  init() {}
}
