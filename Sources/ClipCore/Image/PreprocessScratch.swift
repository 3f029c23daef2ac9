import CClip

/// Working memory of preprocessing, kept between calls so that a warm call allocates nothing.
/// It grows to what the largest image so far needed. For one thread at a time.
final class PreprocessScratch {
  var horizontal = GrowingBuffer()
  var vertical = GrowingBuffer()
  var rows = GrowingBuffer()
  var bytes = GrowingBuffer()

  init() {}
}
