package clipcore;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Decodes a format of image files. Called on any threads at once, with bytes that are not trusted; buffers are valid during the
 * call alone. An exception is an error of the file.
 */
public interface Codec {
  /** Size in pixels, and the format that {@link #decode} writes: RGB, RGBA or GRAY. */
  record Header(int width, int height, PixelFormat format) {}

  /** "vendor.codec.name" */
  String id();

  /** One line. */
  String description();

  /** Name endings in lower case with commas between them: "jpg,jpeg". */
  String extensions();

  /** Whether the first bytes are of this format. */
  boolean recognises(ByteBuffer data);

  /** Reads only the header. */
  Header readHeader(ByteBuffer data);

  /** Writes every pixel, rows {@code stride} bytes apart. */
  void decode(ByteBuffer data, Header header, ByteBuffer pixels, int stride);

  /** A codec's place in C, which it keeps to the end of the program. */
  final class Slots {
    private static final int COUNT = 8;
    private static final List<Codec> CODECS = new ArrayList<>();

    private Slots() {}

    static synchronized int of(Codec codec) {
      for (int slot = 0; slot < CODECS.size(); slot++) {
        if (CODECS.get(slot) == codec) {
          return slot;
        }
      }
      if (CODECS.size() == COUNT) {
        throw new ClipException(Status.LIMIT, "CLIP_LIMIT", "a program has at most " + COUNT + " codecs");
      }
      Native.codecFill(CODECS.size(), Native.texts(List.of(codec.id(), codec.description(), codec.extensions())), codec);
      CODECS.add(codec);
      return CODECS.size() - 1;
    }
  }
}
