package clipcore;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** What models share: worker threads, plugins, log. Any number of threads may use it at once. */
public final class ClipRuntime extends Handle {
  /** Zeros and nulls are defaults. */
  public static final class Options {
    /** Threads that compute one call, the calling thread included: 1 to 256; 0 is 1. */
    public int threads;
    /** Plugin files, and folders of them, to load before those of CLIP_PLUGIN_PATH and of the library's own folder. */
    public List<Path> pluginPaths = List.of();
    public Log log;
    /** The largest image in pixels; 0: the library's default. */
    public long maxImagePixels;
    /** A kernel set, such as "x86-64-v3"; null: the fastest. */
    public String kernels;
  }

  public ClipRuntime() {
    this(new Options());
  }

  public ClipRuntime(Options options) {
    super(create(options), Native::runtimeRelease, null);
  }

  private static long create(Options options) {
    List<String> paths = new ArrayList<>();
    for (Path path : options.pluginPaths) {
      paths.add(path.toString());
    }
    return Native.runtimeCreate(options.threads, Native.texts(paths), paths.size(), options.log, options.maxImagePixels,
        Native.text(options.kernels));
  }

  /** Version of the library, "major.minor.patch". */
  public static String version() {
    return Native.text(Native.version());
  }

  /** Version of the library's interface: (major << 16) | minor. */
  public static int abiVersion() {
    return Native.abiVersion();
  }

  interface Create {
    long create(long runtime);
  }

  interface Wrap<T> {
    T wrap(long pointer, State runtime);
  }

  /** A handle that keeps this runtime. */
  <T> T make(Create create, Wrap<T> wrap) {
    boolean made = false;
    long raw = state.use();
    try {
      T handle = wrap.wrap(create.create(raw), state);
      made = true; // done() is called when it is released
      return handle;
    } finally {
      if (!made) {
        state.done();
      }
    }
  }

  public Model openModel(Path folder) {
    return openModel(folder, null);
  }

  /** Opens a model folder: Hugging Face's layout, open_clip's or clipcore's. Options null: defaults. */
  public Model openModel(Path folder, Model.Options options) {
    return Model.open(this, folder, options);
  }

  /** Writes random initial weights into a model folder that has its configuration but no weights. The same seed makes the same file. */
  public void initializeModel(Path folder, long seed) {
    with(raw -> Native.modelInitialize(raw, Native.path(folder), seed));
  }

  public Image loadImage(Path path) {
    return loadImage(path, null);
  }

  /** Decodes an image file: JPEG, PNG, WebP, or any format that a codec plugin recognises. */
  public Image loadImage(Path path, Image.Options options) {
    return Image.load(this, path, options);
  }

  /** Decodes an image file that is in memory, from the buffer's position. */
  public Image decodeImage(ByteBuffer data, Image.Options options) {
    return Image.decode(this, data, options);
  }

  /** The name endings of the image files that can be read: "jpg", "png". */
  public List<String> imageEndings() {
    byte[][] endings = new byte[1][];
    with(raw -> endings[0] = Native.imageEndings(raw));
    return List.of(Native.text(endings[0]).split(","));
  }

  public Index openIndex(Path path, Index.Options options) {
    return Index.open(this, path, options);
  }

  /** Loads a plugin file, or each *.so of a folder. */
  public void loadPlugin(Path path) {
    with(raw -> Native.pluginLoad(raw, Native.path(path)));
  }

  /** Unloads a plugin by its id or path; what uses it goes on. */
  public void unloadPlugin(String plugin) {
    with(raw -> Native.pluginUnload(raw, Native.text(plugin)));
  }

  /** Adds a plugin of this program with one codec, whose id is the plugin's. A program has at most 8, each in any number of runtimes. */
  public void registerCodec(Codec codec) {
    int slot = Codec.Slots.of(codec);
    with(raw -> Native.codecRegister(raw, slot));
  }

  private void with(java.util.function.LongConsumer call) {
    long raw = state.use();
    try {
      call.accept(raw);
    } finally {
      state.done();
    }
  }
}
