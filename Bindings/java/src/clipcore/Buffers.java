package clipcore;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;

/** Direct buffers in native order, which C reads and writes in place. */
final class Buffers {
  private Buffers() {}

  static ByteBuffer bytes(long size) {
    if (size > Integer.MAX_VALUE - 16) {
      throw new ClipException(Status.LIMIT, "CLIP_LIMIT", "a result of " + size + " bytes is more than a buffer holds");
    }
    return ByteBuffer.allocateDirect((int) size).order(ByteOrder.nativeOrder());
  }

  static FloatBuffer floats(long count) {
    return bytes(4 * count).asFloatBuffer();
  }

  static IntBuffer ints(long count) {
    return bytes(4 * count).asIntBuffer();
  }

  // From the position; what is not direct or not in native order is copied.

  static ByteBuffer direct(ByteBuffer buffer) {
    return buffer.isDirect() ? buffer.slice() : bytes(buffer.remaining()).put(buffer.duplicate()).flip();
  }

  static FloatBuffer direct(FloatBuffer buffer) {
    boolean asItIs = buffer.isDirect() && buffer.order() == ByteOrder.nativeOrder();
    return asItIs ? buffer.slice() : floats(buffer.remaining()).put(buffer.duplicate()).flip();
  }

  static IntBuffer direct(IntBuffer buffer) {
    boolean asItIs = buffer.isDirect() && buffer.order() == ByteOrder.nativeOrder();
    return asItIs ? buffer.slice() : ints(buffer.remaining()).put(buffer.duplicate()).flip();
  }

  /** The number of rows of {@code width} elements. */
  static int rows(String what, int length, long width) {
    if (width < 1 || length < 1 || length % width != 0) {
      throw ClipException.invalid(what + ": expected rows of " + width + " elements, found " + length + " elements");
    }
    return (int) (length / width);
  }
}
