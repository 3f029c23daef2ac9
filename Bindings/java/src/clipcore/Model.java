package clipcore;

import java.lang.ref.Reference;
import java.nio.Buffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.file.Path;
import java.util.List;

/**
 * A CLIP model: an image tower, a text tower, or both. Any number of threads may use it at once. Embeddings and pixels are direct
 * buffers that C writes in place; arguments that are not direct are copied.
 */
public final class Model extends Handle {
  /** Bits of {@link Options#towers}; 0: all. */
  public static final int IMAGE_TOWER = 1, TEXT_TOWER = 2;

  /** How weights are held in memory. */
  public enum Storage { F32, F16, BF16, INT8, INT8_FAST }

  /** Zeros and nulls are defaults. */
  public static final class Options {
    public int towers;
    public Storage storage = Storage.F32;
    /** Unused tensors in the file are a warning. */
    public boolean allowExtraTensors;
    /** Hold no weights: for training, preprocessing and tokens. */
    public boolean withoutWeights;
    /** The image tower's input in pixels, both or neither; 0: as the folder says. */
    public int imageWidth, imageHeight;
    /** Of loading, in elements. */
    public Progress progress;

    private long[] raw() {
      return new long[] {towers, storage.ordinal(), (allowExtraTensors ? 1 : 0) | (withoutWeights ? 2 : 0), imageWidth, imageHeight};
    }
  }

  /** Of the encode calls. Zeros and nulls are defaults. */
  public static final class EncodeOptions {
    /** The tower's output, not scaled to unit length. */
    public boolean raw;
    /** Cut a text that is too long; else it is {@link Status#LIMIT}. */
    public boolean truncate;
    /** CLIP's tokenizer: clean texts as OpenAI's Python does. */
    public boolean openaiCleaning;
    /** Blend transparent pixels over this 0xRRGGBB; null: alpha is dropped. */
    public Integer background;
    /** The sizes that the caller's pixels and tokens were made for; 0: those the model was opened with. */
    public int imageWidth, imageHeight, contextLength;
    /** The name of a prompt to put before each text; "": none; null: the model's default. */
    public String prompt;
    /** Of encoding, in items. */
    public Progress progress;

    long[] raw() {
      long flags = (raw ? 1 : 0) | (truncate ? 2 : 0) | (openaiCleaning ? 4 : 0) | (background != null ? 8 : 0);
      return new long[] {flags, background == null ? 0 : background, imageWidth, imageHeight, contextLength};
    }
  }

  /** Facts about a model at one moment; a swap may change them, but for the width of embeddings. */
  public record Info(int towers, int embeddingWidth, int imageWidth, int imageHeight, int contextLength, int vocabularySize,
      boolean hasLogitBias, float logitScale, float logitBias, Storage storage, int resizedSide, String layout, long imageParameters,
      long textParameters, long memoryBytes) {
    /** Elements of one image's pixels. */
    long pixels() {
      return 3L * imageWidth * imageHeight;
    }
  }

  /** Ids [n, contextLength], and the tokens of each row up to and including the end token [n]. */
  public record Tokens(IntBuffer ids, IntBuffer lengths) {}

  private final Info opened; // what sizes of 0 stand for

  private Model(long pointer, State runtime, Info opened) {
    super(pointer, Native::modelRelease, runtime);
    this.opened = opened;
  }

  private static Model made(long pointer, State runtime) {
    try {
      return new Model(pointer, runtime, describe(pointer));
    } catch (ClipException error) {
      Native.modelRelease(pointer);
      throw error;
    }
  }

  static Model open(ClipRuntime runtime, Path folder, Options options) {
    Options given = options == null ? new Options() : options;
    return runtime.make(raw -> Native.modelOpen(raw, Native.path(folder), given.raw(), given.progress), Model::made);
  }

  private static Info describe(long raw) {
    long[] n = new long[12];
    float[] logit = new float[2];
    String layout = Native.text(Native.modelDescribe(raw, n, logit));
    Storage storage = n[7] < Storage.values().length ? Storage.values()[(int) n[7]] : Storage.F32;
    return new Info((int) n[0], (int) n[1], (int) n[2], (int) n[3], (int) n[4], (int) n[5], n[6] != 0, logit[0], logit[1], storage,
        (int) n[8], layout, n[9], n[10], n[11]);
  }

  public Info info() {
    long raw = state.use();
    try {
      return describe(raw);
    } finally {
      state.done();
    }
  }

  /** Elements of one embedding. */
  public int embeddingWidth() {
    return opened.embeddingWidth;
  }

  /** The id of the plugin that built a tower, "" where that tower is not open. */
  public String encoder(int tower) {
    long raw = state.use();
    try {
      return Native.text(Native.modelEncoder(raw, tower));
    } finally {
      state.done();
    }
  }

  /**
   * Replaces towers (0: all) while other threads use the model. Folder null: the folder each came from; options null: those the
   * tower was opened with.
   */
  public void swap(int towers, Path folder, Options options) {
    long raw = state.use();
    try {
      Native.modelSwap(raw, towers, Native.path(folder), options == null ? null : options.raw(), options == null ? null : options.progress);
    } finally {
      state.done();
    }
  }

  private void encode(int call, int n, long[] views, byte[] texts, Buffer in, EncodeOptions options, Buffer out, Buffer lengths) {
    EncodeOptions given = options == null ? new EncodeOptions() : options;
    long raw = state.use();
    try {
      Native.encode(call, raw, n, views, texts, in, given.raw(), Native.text(given.prompt), given.progress, out, out.capacity(), lengths);
    } finally {
      state.done();
      Reference.reachabilityFence(in);
    }
  }

  private FloatBuffer embeddings(int call, int n, long[] views, byte[] texts, Buffer in, EncodeOptions options) {
    FloatBuffer out = Buffers.floats((long) n * opened.embeddingWidth);
    encode(call, n, views, texts, in, options, out, null);
    return out;
  }

  public FloatBuffer encodeImages(Image... images) {
    return encodeImages(List.of(images), null);
  }

  /** Embeddings of images, [n, embeddingWidth], each of unit length. */
  public FloatBuffer encodeImages(List<Image> images, EncodeOptions options) {
    return Image.withViews(images, views -> embeddings(Native.IMAGES, images.size(), views, null, null, options));
  }

  public FloatBuffer encodeTexts(String... texts) {
    return encodeTexts(List.of(texts), null);
  }

  /** Embeddings of texts, [n, embeddingWidth], each of unit length. */
  public FloatBuffer encodeTexts(List<String> texts, EncodeOptions options) {
    return embeddings(Native.TEXTS, texts.size(), null, Native.texts(texts), null, options);
  }

  /** The image tower's input for images: [n, 3, imageHeight, imageWidth]. */
  public FloatBuffer preprocess(List<Image> images, EncodeOptions options) {
    FloatBuffer pixels = Buffers.floats(images.size() * rowFor(pixelsOf(options), info().pixels()));
    return Image.withViews(images, views -> {
      encode(Native.PREPROCESS, images.size(), views, null, null, options, pixels, null);
      return pixels;
    });
  }

  /** Embeddings of preprocessed images. */
  public FloatBuffer encodePixels(FloatBuffer pixels, EncodeOptions options) {
    int n = Buffers.rows("pixels", pixels.remaining(), pixelsOf(options));
    return embeddings(Native.PIXELS, n, null, null, Buffers.direct(pixels), options);
  }

  public Tokens tokenize(List<String> texts, EncodeOptions options) {
    long width = rowFor(contextOf(options), info().contextLength);
    Tokens tokens = new Tokens(Buffers.ints(texts.size() * width), Buffers.ints(texts.size()));
    encode(Native.TOKENIZE, texts.size(), null, Native.texts(texts), null, options, tokens.ids, tokens.lengths);
    return tokens;
  }

  /** Embeddings of tokenized texts, [n, contextLength]. */
  public FloatBuffer encodeTokens(IntBuffer ids, EncodeOptions options) {
    int n = Buffers.rows("tokens", ids.remaining(), contextOf(options));
    return embeddings(Native.TOKENS, n, null, null, Buffers.direct(ids), options);
  }

  /** Logits of each of n images against each of m texts, [n, m]: logit scale * cosine + logit bias. */
  public FloatBuffer similarity(FloatBuffer images, FloatBuffer texts) {
    return score(false, images, texts);
  }

  /** The probability of each of m texts for each of n images, [n, m]. */
  public FloatBuffer classify(FloatBuffer images, FloatBuffer texts) {
    return score(true, images, texts);
  }

  private FloatBuffer score(boolean classify, FloatBuffer images, FloatBuffer texts) {
    int n = Buffers.rows("images", images.remaining(), opened.embeddingWidth);
    int m = Buffers.rows("texts", texts.remaining(), opened.embeddingWidth);
    FloatBuffer out = Buffers.floats((long) n * m);
    long raw = state.use();
    try {
      Native.score(classify, raw, Buffers.direct(images), n, Buffers.direct(texts), m, out);
    } finally {
      state.done();
    }
    return out;
  }

  public Trainer trainer(Trainer.Options options) {
    return Trainer.create(this, options);
  }

  // The elements of a row as C counts them: of the sizes that the caller names, and those as opened for each 0. They do not
  // depend on a swap at the same time, which the call finds.

  private long pixelsOf(EncodeOptions o) {
    return o == null ? opened.pixels() : 3 * side(o.imageWidth, opened.imageWidth) * side(o.imageHeight, opened.imageHeight);
  }

  private long contextOf(EncodeOptions options) {
    return options == null ? opened.contextLength : side(options.contextLength, opened.contextLength);
  }

  private static long side(int named, int opened) {
    return named == 0 ? opened : Integer.toUnsignedLong(named);
  }

  /** The row of a result. A call refuses sizes that the model does not have: no memory for those, which may be huge. */
  private static long rowFor(long wanted, long now) {
    return wanted == now ? wanted : 0;
  }
}
