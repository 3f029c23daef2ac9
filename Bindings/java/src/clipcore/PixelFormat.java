package clipcore;

/** The channels of 8-bit pixels. */
public enum PixelFormat {
  RGB(1, 3),
  /** Alpha is not premultiplied. */
  RGBA(2, 4), BGR(3, 3), BGRA(4, 4), GRAY(5, 1);

  final int raw;
  private final int channels;

  PixelFormat(int raw, int channels) {
    this.raw = raw;
    this.channels = channels;
  }

  /** Bytes of one pixel. */
  public int channels() {
    return channels;
  }

  static PixelFormat of(long raw) {
    return raw >= 1 && raw <= 5 ? values()[(int) raw - 1] : RGB;
  }
}
