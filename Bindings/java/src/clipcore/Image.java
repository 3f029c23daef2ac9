package clipcore;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;

/** 8-bit pixels, rows from top to bottom, channels interleaved: decoded by the library, or in a direct buffer of the caller's. */
public final class Image extends Handle {
  /** How an image file is decoded. */
  public static final class Options {
    /** Orientation is not applied. */
    public boolean asStored;
    /** Keep what can be decoded of a damaged file. */
    public boolean lenient;
    /** Pixels needed of the smaller side: a larger image may be decoded at 1/2, 1/4 or 1/8 of its size. 0: full size. */
    public int smallerSide;

    static long[] raw(Options options) {
      return options == null ? new long[2] : new long[] {(options.asStored ? 1 : 0) | (options.lenient ? 2 : 0), options.smallerSide};
    }
  }

  static final int VIEW = 8; // fields of clip_image_view
  private final long[] view;
  private final ByteBuffer pixels; // of the caller's, or null

  private Image(long pointer, State runtime, long[] view, ByteBuffer pixels) {
    super(pointer, pixels == null ? Native::imageRelease : none -> {}, runtime);
    this.view = view;
    this.pixels = pixels;
  }

  static Image load(ClipRuntime runtime, Path path, Options options) {
    return runtime.make(raw -> Native.imageLoad(raw, Native.path(path), Options.raw(options)), Image::made);
  }

  static Image decode(ClipRuntime runtime, ByteBuffer data, Options options) {
    ByteBuffer direct = Buffers.direct(data);
    return runtime.make(raw -> Native.imageDecode(raw, direct, direct.remaining(), Options.raw(options)), Image::made);
  }

  private static Image made(long pointer, State runtime) {
    long[] view = new long[VIEW];
    try {
      Native.imageView(pointer, view);
    } catch (RuntimeException error) {
      Native.imageRelease(pointer);
      throw error;
    }
    return new Image(pointer, runtime, view, null);
  }

  /**
   * Pixels from the position of a direct buffer, rows {@code stride} bytes apart (0: no gap between rows). They are not copied:
   * the caller leaves them as they are while calls use the image.
   */
  public static Image of(ByteBuffer pixels, int width, int height, int stride, PixelFormat format) {
    if (!pixels.isDirect()) {
      throw ClipException.invalid("the pixels are in no direct buffer");
    }
    long row = (long) width * format.channels(), step = stride == 0 ? row : stride;
    if (width < 1 || height < 1 || step < row || (pixels.remaining() - row) / step < height - 1 || pixels.remaining() < row) {
      throw ClipException.invalid(width + " x " + height + " pixels of " + format + " with stride " + stride + " do not fit " + pixels.remaining() + " bytes");
    }
    ByteBuffer kept = pixels.slice();
    return new Image(0, null, new long[] {Native.address(kept), width, height, step, format.raw, 0, 0, 0}, kept);
  }

  /** Width in pixels, as stored. */
  public int width() {
    return (int) view[1];
  }

  public int height() {
    return (int) view[2];
  }

  public PixelFormat format() {
    return PixelFormat.of(view[4]);
  }

  /** EXIF's Orientation, 1 to 8. */
  public int orientation() {
    return (int) Math.max(1, view[5]);
  }

  /** A copy of the pixels, in rows without gaps, in a direct buffer. */
  public ByteBuffer pixels() {
    long row = (long) width() * format().channels(), stride = view[3] == 0 ? row : view[3];
    ByteBuffer copy = Buffers.bytes(row * height());
    state.use();
    try {
      for (int y = 0; y < height(); y++) {
        Native.copy(view[0] + y * stride, copy.slice((int) (y * row), (int) row), row);
      }
    } finally {
      state.done();
      Reference.reachabilityFence(pixels);
    }
    return copy;
  }

  interface WithViews<T> {
    T call(long[] views);
  }

  /** Makes a call with the views of images, which stay until it ends. */
  static <T> T withViews(List<Image> images, WithViews<T> call) {
    long[] views = new long[images.size() * VIEW];
    int used = 0;
    try {
      for (Image image : images) {
        image.state.use();
        System.arraycopy(image.view, 0, views, used++ * VIEW, VIEW);
      }
      return call.call(views);
    } finally {
      for (int i = 0; i < used; i++) {
        images.get(i).state.done();
      }
      Reference.reachabilityFence(images);
    }
  }
}
