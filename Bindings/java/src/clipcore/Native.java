package clipcore;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Predicate;

/**
 * The functions of native/*.c. Texts are UTF-8 with a NUL behind each; buffers are direct, in native order, from their
 * beginning; options are numbers in the order of the C struct.
 */
final class Native {
  private Native() {}

  static {
    String named = System.getProperty("clipcore.library");
    if (named != null) {
      System.load(named);
    } else {
      loadFromJar();
    }
  }

  private static void loadFromJar() {
    String name = "/native/" + System.getProperty("os.arch") + "/libclipcore_jni.so";
    try (InputStream library = Native.class.getResourceAsStream(name)) {
      if (library == null) {
        throw new UnsatisfiedLinkError("clipcore.jar has no " + name);
      }
      Path file = Files.createTempFile("clipcore", ".so");
      try {
        Files.copy(library, file, StandardCopyOption.REPLACE_EXISTING);
        System.load(file.toString());
      } finally {
        Files.delete(file);
      }
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  static native byte[] version();
  static native int abiVersion();

  static native long runtimeCreate(int threads, byte[] paths, int pathCount, Log log, long maxImagePixels, byte[] kernels);
  static native void runtimeRelease(long runtime);
  static native void modelInitialize(long runtime, byte[] folder, long seed);
  static native byte[] imageEndings(long runtime);
  static native void pluginLoad(long runtime, byte[] path);
  static native void pluginUnload(long runtime, byte[] plugin);
  static native void codecFill(int slot, byte[] texts, Codec codec);
  static native void codecRegister(long runtime, int slot);

  static native long imageLoad(long runtime, byte[] path, long[] options);
  static native long imageDecode(long runtime, ByteBuffer data, long size, long[] options);
  static native void imageView(long image, long[] view);
  static native void imageRelease(long image);
  static native long address(Buffer buffer);
  static native void copy(long address, ByteBuffer to, long size);

  static native long modelOpen(long runtime, byte[] folder, long[] options, Progress progress);
  static native void modelRelease(long model);
  static native byte[] modelDescribe(long model, long[] numbers, float[] logit);
  static native byte[] modelEncoder(long model, int tower);
  static native void modelSwap(long model, int towers, byte[] folder, long[] options, Progress progress);

  static final int IMAGES = 0, TEXTS = 1, PREPROCESS = 2, PIXELS = 3, TOKENIZE = 4, TOKENS = 5;

  static native void encode(int call, long model, int n, long[] views, byte[] texts, Buffer in, long[] options, byte[] prompt,
      Progress progress, Buffer out, long capacity, Buffer lengths);

  static native void score(boolean classify, long model, Buffer images, int n, Buffer texts, int m, Buffer out);

  static native byte[] fingerprint(byte[] folder);
  static native long indexOpen(long runtime, byte[] path, long[] options, byte[] fingerprint);
  static native void indexRelease(long index);
  static native void indexDescribe(long index, long[] numbers);
  static native byte[] indexFingerprint(long index);
  static native void indexPut(long index, byte[] keys, int[] keySizes, Buffer embeddings, byte[] metadata, int[] metadataSizes);
  static native void indexRename(long index, byte[] from, int[] fromSizes, byte[] to, int[] toSizes);
  static native long indexRemove(long index, byte[] keys, int[] keySizes);
  static native void indexGet(long index, byte[] key, Buffer embedding, int width, Predicate<Entry> visit);
  static native void indexVisit(long index, byte[] prefix, Predicate<Entry> visit);
  static native void indexSearch(long index, Buffer query, int count, boolean limited, float threshold, Predicate<Entry> filter,
      Progress progress, Predicate<Entry> visit);
  static native void indexDuplicates(long index, int count, float threshold, Progress progress, BiConsumer<Entry, Entry> visit);

  static native void indexGroups(long index, float threshold, Progress progress, List<List<Entry>> groups);

  /** Sets sizes to image width, image height and context length. */
  static native long trainerCreate(long model, long[] numbers, float[] rates, long[] sizes);
  static native void trainerRelease(long trainer);
  static native void trainerRun(boolean step, long trainer, int n, long[] views, Buffer pixels, byte[] texts, Buffer tokens,
      long[] options, byte[] prompt, double[] metrics);
  static native void trainerSetLearningRate(long trainer, double rate);
  static native void trainerSave(long trainer, byte[] folder, int keep, byte[] note);
  static native void trainerResume(long trainer, byte[] path);
  static native byte[] trainerNote(long trainer);
  static native void trainerExport(long trainer, byte[] folder, Progress progress);
  static native void trainerUpdateModel(long trainer, long model);

  // What C calls.

  static void fail(int status, byte[] name, byte[] message) {
    throw new ClipException(Status.of(status), text(name), text(message));
  }

  static boolean progress(Progress progress, long done, long total) {
    return progress.update(done, total);
  }

  static boolean entry(Predicate<Entry> visit, float score, byte[] key, byte[] metadata) {
    return visit.test(new Entry(score, key, metadata));
  }

  static void pair(BiConsumer<Entry, Entry> visit, float score, byte[] a, byte[] metadataA, byte[] b, byte[] metadataB) {
    visit.accept(new Entry(score, a, metadataA), new Entry(score, b, metadataB));
  }

  static void member(List<List<Entry>> groups, long group, float score, byte[] key, byte[] metadata) {
    if (group == groups.size()) {
      groups.add(new ArrayList<>());
    }
    groups.get((int) group).add(new Entry(score, key, metadata));
  }

  static void log(Log log, int level, byte[] message) {
    log.message(Log.Level.values()[Math.min(level, 2)], text(message));
  }

  /** Width, height and format; an exception's message goes to the host. */
  static long[] codecHeader(Codec codec, ByteBuffer data) {
    Codec.Header header = codec.readHeader(data.asReadOnlyBuffer());
    return new long[] {header.width(), header.height(), header.format().raw};
  }

  static boolean codecRecognises(Codec codec, ByteBuffer data) {
    return codec.recognises(data.asReadOnlyBuffer());
  }

  static void codecDecode(Codec codec, ByteBuffer data, int width, int height, int format, ByteBuffer pixels, int stride) {
    codec.decode(data.asReadOnlyBuffer(), new Codec.Header(width, height, PixelFormat.of(format)), pixels, stride);
  }

  static byte[] messageOf(Throwable error) {
    String message = error.getMessage();
    return (message == null ? error.toString() : message).getBytes(StandardCharsets.UTF_8);
  }

  // Texts.

  static String text(byte[] utf8) {
    return new String(utf8, StandardCharsets.UTF_8);
  }

  static byte[] texts(List<String> values) {
    var bytes = new java.io.ByteArrayOutputStream();
    for (int i = 0; i < values.size(); i++) {
      int nul = values.get(i).indexOf('\0');
      if (nul >= 0) {
        throw ClipException.invalid("text " + i + " has a NUL at character " + nul);
      }
      bytes.writeBytes(values.get(i).getBytes(StandardCharsets.UTF_8));
      bytes.write(0);
    }
    return bytes.toByteArray();
  }

  static byte[] text(String value) {
    return value == null ? null : texts(List.of(value));
  }

  static byte[] path(Path value) {
    return value == null ? null : text(value.toString());
  }
}
