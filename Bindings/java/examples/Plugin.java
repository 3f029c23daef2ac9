import clipcore.ClipRuntime;
import clipcore.Codec;
import clipcore.Image;
import clipcore.PixelFormat;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/** A plugin in Java: PPM images of 8 bits, registered by the program that uses them: Plugin FILE.ppm */
public final class Plugin {
  static final class Ppm implements Codec {
    @Override
    public String id() {
      return "example.codec.ppm-java";
    }

    @Override
    public String description() {
      return "PPM images of 8 bits";
    }

    @Override
    public String extensions() {
      return "ppm";
    }

    @Override
    public boolean recognises(ByteBuffer data) {
      return data.remaining() > 2 && data.get(0) == 'P' && data.get(1) == '6' && data.get(2) == '\n';
    }

    private static int number(ByteBuffer data) {
      int value = 0;
      byte digit = data.get();
      while (digit == ' ' || digit == '\n') {
        digit = data.get();
      }
      for (; digit >= '0' && digit <= '9'; digit = data.get()) {
        value = 10 * value + digit - '0';
        if (value > 1_000_000) {
          break;
        }
      }
      if (value < 1 || value > 1_000_000) {
        throw new IllegalArgumentException("PPM: expected a number from 1 to 1000000 before byte " + data.position());
      }
      return value;
    }

    /** "P6 width height 255" and one byte of space; the pixels are what remains. */
    @Override
    public Header readHeader(ByteBuffer data) {
      data.position(2);
      int width = number(data), height = number(data), largest = number(data);
      if (largest != 255) {
        throw new IllegalArgumentException("PPM: expected 255, found " + largest);
      }
      return new Header(width, height, PixelFormat.RGB);
    }

    @Override
    public void decode(ByteBuffer data, Header header, ByteBuffer pixels, int stride) {
      int row = 3 * header.width();
      if (!readHeader(data).equals(header) || data.remaining() / row < header.height()) {
        throw new IllegalArgumentException("PPM: the file is truncated");
      }
      for (int y = 0; y < header.height(); y++) {
        pixels.put(y * stride, data, data.position() + y * row, row);
      }
    }
  }

  public static void main(String[] arguments) {
    if (arguments.length != 1) {
      throw new IllegalArgumentException("usage: Plugin FILE.ppm");
    }
    try (ClipRuntime runtime = new ClipRuntime()) {
      runtime.registerCodec(new Ppm());
      try (Image image = runtime.loadImage(Path.of(arguments[0]))) {
        System.out.printf("%d x %d pixels%n", image.width(), image.height());
      }
    }
  }
}
