import clipcore.ClipException;
import clipcore.ClipRuntime;
import clipcore.Codec;
import clipcore.Entry;
import clipcore.Image;
import clipcore.Index;
import clipcore.Model;
import clipcore.PixelFormat;
import clipcore.Status;
import clipcore.Trainer;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** LibraryTest ROOT FOLDER: the repository, whose small models and images are used, and an empty folder. */
public final class LibraryTest {
  private static int passed, failed;
  private static Path root, work;

  interface Body {
    void run() throws Exception;
  }

  static void check(boolean good, String what) {
    if (good) {
      passed++;
    } else {
      failed++;
      System.out.println("FAILED " + what);
    }
  }

  static void fails(Status status, String what, Body body) {
    try {
      body.run();
      check(false, what + ": no exception");
    } catch (ClipException error) {
      check(error.status() == status && !error.getMessage().isEmpty(), what + ": " + error);
    } catch (Exception error) {
      check(false, what + ": " + error);
    }
  }

  static void throwsOwn(String what, Body body) {
    try {
      body.run();
      check(false, what + ": no exception");
    } catch (Exception error) {
      check(error instanceof ArithmeticException && what.equals(error.getMessage()), what + ": " + error);
    }
  }

  static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static FloatBuffer floats(float... values) {
    return FloatBuffer.wrap(values);
  }

  static List<String> keys(List<Entry> entries) {
    return entries.stream().map(Entry::keyText).toList();
  }

  static void encoding(ClipRuntime runtime, Model model) throws Exception {
    Model.Info info = model.info();
    check(info.layout().equals("open_clip") && info.embeddingWidth() == model.embeddingWidth() && info.imageParameters() > 0, "info " + info);
    check(model.encoder(Model.IMAGE_TOWER).equals("clipcore.encoder.clip-vit"), "encoder");
    Image photo = runtime.loadImage(root.resolve("Examples/images/cat.png"));
    FloatBuffer one = model.encodeImages(photo), two = model.encodeImages(photo, photo);
    check(two.slice(0, one.capacity()).equals(one) && two.slice(one.capacity(), one.capacity()).equals(one), "a batch of two");
    ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(root.resolve("Examples/images/cat.png")));
    Image decoded = runtime.decodeImage(file, null);
    Image own = Image.of(decoded.pixels(), decoded.width(), decoded.height(), 0, decoded.format());
    check(model.encodeImages(own).equals(one), "own pixels");
    FloatBuffer pixels = model.preprocess(List.of(own), null);
    check(model.encodePixels(pixels, null).equals(one), "pixels");
    float[] onHeap = new float[pixels.capacity()];
    pixels.get(0, onHeap);
    check(model.encodePixels(FloatBuffer.wrap(onHeap), null).equals(one), "pixels on the heap");
    List<String> words = List.of("a cat", "a slice of pizza");
    FloatBuffer texts = model.encodeTexts(words, null);
    Model.Tokens tokens = model.tokenize(words, null);
    check(tokens.ids().capacity() == 2 * info.contextLength() && tokens.lengths().get(0) >= 3, "tokens");
    check(model.encodeTokens(tokens.ids(), null).equals(texts), "encode tokens");
    FloatBuffer logits = model.similarity(one, texts), chances = model.classify(one, texts);
    check(logits.get(0) > logits.get(1) && chances.get(0) > 0.9 && Math.abs(chances.get(0) + chances.get(1) - 1) < 1e-6, "scores");
    check(runtime.imageEndings().contains("png") && ClipRuntime.abiVersion() >> 16 == 2 && ClipRuntime.version().split("\\.").length == 3, "version");
  }

  static void sizes(ClipRuntime runtime, Path folder) {
    Model model = runtime.openModel(folder);
    int side = model.info().imageWidth(), length = model.info().contextLength();
    Image photo = runtime.loadImage(root.resolve("Examples/images/cat.png"));
    var large = new Model.EncodeOptions();
    large.imageWidth = large.imageHeight = 2 * side;
    var longer = new Model.EncodeOptions();
    longer.contextLength = 2 * length;
    FloatBuffer smallRow = floats(new float[3 * side * side]), largeRow = floats(new float[12 * side * side]);
    fails(Status.MISMATCH, "sizes after a swap that was not", () -> model.encodePixels(largeRow, large));
    fails(Status.INVALID_ARGUMENT, "a row of another size", () -> model.encodePixels(smallRow, large));
    fails(Status.INVALID_ARGUMENT, "tokens of another length", () -> model.encodeTokens(IntBuffer.allocate(length), longer));
    fails(Status.MISMATCH, "another length", () -> model.tokenize(List.of("a"), longer));

    var options = new Model.Options();
    options.imageWidth = options.imageHeight = 2 * side;
    model.swap(Model.IMAGE_TOWER, null, options);
    check(model.encodePixels(largeRow, large).capacity() == model.embeddingWidth(), "named sizes");
    fails(Status.MISMATCH, "sizes as opened", () -> model.encodePixels(smallRow, null));
    fails(Status.MISMATCH, "preprocess as opened", () -> model.preprocess(List.of(photo), null));
    check(model.preprocess(List.of(photo), large).capacity() == 12 * side * side, "preprocess to named sizes");
    model.swap(Model.IMAGE_TOWER, null, new Model.Options());
    Trainer trainer = model.trainer(null);
    var batch = new Trainer.Batch();
    batch.tokens = model.tokenize(List.of("a"), null).ids();
    batch.pixels = smallRow;
    check(trainer.evaluate(batch).step() == 0, "pixels of a trainer");
    batch.pixels = largeRow;
    fails(Status.INVALID_ARGUMENT, "pixels of another size", () -> trainer.evaluate(batch));
  }

  static void errors(ClipRuntime runtime, Model model) {
    fails(Status.NOT_FOUND, "no folder", () -> runtime.openModel(Path.of("/no/such/folder")));
    fails(Status.INVALID_ARGUMENT, "NUL", () -> model.encodeTexts("a\0b"));
    String lengthy = "word ".repeat(500);
    fails(Status.LIMIT, "a long text", () -> model.encodeTexts(lengthy));
    var options = new Model.EncodeOptions();
    options.truncate = true;
    check(model.encodeTexts(List.of(lengthy), options).capacity() > 0, "truncated");
    options.prompt = "none such";
    fails(Status.NOT_FOUND, "prompt", () -> model.encodeTexts(List.of("a"), options));
    fails(Status.INVALID_ARGUMENT, "no texts", () -> model.encodeTexts());
    fails(Status.INVALID_ARGUMENT, "no images", () -> model.encodeImages());
    fails(Status.INVALID_ARGUMENT, "pixels", () -> model.encodePixels(floats(1, 2, 3), null));
    fails(Status.INVALID_ARGUMENT, "scores", () -> model.classify(floats(1), floats(2)));
    fails(Status.FORMAT, "no image", () -> runtime.decodeImage(ByteBuffer.wrap(bytes("no image")), null));
    ByteBuffer eleven = ByteBuffer.allocateDirect(11);
    int[][] sizes = {{2, 2, 0}, {1 << 30, 1 << 30, 0}, {0, 1, 0}, {1, -1, 0}, {1, 2, -4}, {Integer.MAX_VALUE, Integer.MAX_VALUE, Integer.MAX_VALUE}};
    for (int[] size : sizes) {
      fails(Status.INVALID_ARGUMENT, "size", () -> Image.of(eleven, size[0], size[1], size[2], PixelFormat.RGB));
    }
    var odd = new Model.EncodeOptions();
    odd.imageWidth = odd.imageHeight = Integer.MAX_VALUE;
    Image photo = runtime.loadImage(root.resolve("Examples/images/cat.png"));
    fails(Status.MISMATCH, "another size", () -> model.preprocess(List.of(photo), odd));
    photo.close();
    photo.close();
    try {
      model.encodeImages(photo);
      check(false, "a closed image was used");
    } catch (IllegalStateException error) {
      check(true, "closed");
    }
  }

  static void callbacks(ClipRuntime runtime, Model model) {
    Image photo = runtime.loadImage(root.resolve("Examples/images/cat.png"));
    List<Image> four = List.of(photo, photo, photo, photo);
    var options = new Model.EncodeOptions();
    long[] last = new long[2];
    options.progress = (done, total) -> {
      last[0] = done;
      last[1] = total;
      return true;
    };
    model.encodeImages(four, options);
    check(last[0] == 4 && last[1] == 4, "progress");
    options.progress = (done, total) -> false;
    fails(Status.CANCELLED, "cancelled", () -> model.encodeImages(four, options));
    options.progress = (done, total) -> {
      throw new ArithmeticException("progress");
    };
    throwsOwn("progress", () -> model.encodeImages(four, options));
    var opening = new Model.Options();
    opening.progress = (done, total) -> {
      throw new ArithmeticException("opening");
    };
    throwsOwn("opening", () -> runtime.openModel(root.resolve("Models/emoji"), opening));
    var create = new Index.Options();
    create.create = true;
    create.fingerprint = "f";
    create.embeddingWidth = 2;
    try (Index index = runtime.openIndex(work.resolve("panics.index"), create)) {
      index.put(List.of(bytes("a"), bytes("b")), floats(1, 0, 0, 1), null);
      var search = new Index.SearchOptions();
      search.filter = entry -> {
        throw new ArithmeticException("filter");
      };
      throwsOwn("filter", () -> index.search(floats(1, 0), search));
      throwsOwn("visit", () -> index.visit(new byte[0], entry -> {
        throw new ArithmeticException("visit");
      }));
    }
    var loud = new ClipRuntime.Options();
    int[] messages = new int[1];
    loud.pluginPaths = List.of(Path.of("/no/plugin.so"));
    loud.log = (level, message) -> {
      messages[0]++;
      throw new ArithmeticException("log");
    };
    new ClipRuntime(loud).close();
    check(messages[0] > 0, "log");
  }

  static void index(ClipRuntime runtime) {
    Path file = work.resolve("a.index");
    fails(Status.NOT_FOUND, "no index", () -> runtime.openIndex(file, null));
    var options = new Index.Options();
    options.create = true;
    options.fingerprint = Index.fingerprint(root.resolve("Models/emoji"));
    options.embeddingWidth = 3;
    try (Index index = runtime.openIndex(file, options)) {
      check(index.fingerprint().equals(options.fingerprint), "fingerprint");
      index.put(List.of(bytes("a"), bytes("b"), bytes("c")), floats(1, 0, 0, 2, 0.1f, 0, 0, 0, 1), List.of(bytes("first"), bytes(""), bytes("third")));
      fails(Status.INVALID_ARGUMENT, "put", () -> index.put(List.of(bytes("d")), floats(1, 2), null));
      fails(Status.INVALID_ARGUMENT, "put zeros", () -> index.put(List.of(bytes("d")), floats(0, 0, 0), null));
      FloatBuffer embedding = FloatBuffer.allocate(3);
      Entry a = index.get(bytes("a"), embedding);
      check(new String(a.metadata(), StandardCharsets.UTF_8).equals("first") && embedding.flip().equals(floats(1, 0, 0)), "get");
      fails(Status.NOT_FOUND, "get", () -> index.get(bytes("z"), null));
      check(keys(index.search(floats(1, 0, 0), null)).equals(List.of("a", "b", "c")), "search");
      var search = new Index.SearchOptions();
      search.threshold = 0.5f;
      search.filter = entry -> !entry.keyText().equals("a");
      check(keys(index.search(floats(1, 0, 0), search)).equals(List.of("b")), "filter");
      List<Index.Pair> pairs = index.duplicates(0.9f, 0, null);
      check(pairs.size() == 1 && pairs.get(0).a().keyText().equals("a") && pairs.get(0).b().keyText().equals("b"), "duplicates");
      List<List<Entry>> groups = index.groups(0.9f, null);
      check(groups.size() == 1 && keys(groups.get(0)).equals(List.of("a", "b")), "groups");
      index.rename(List.of(bytes("c")), List.of(bytes("d")));
      check(index.remove(List.of(bytes("b"), bytes("nothing"))) == 1, "remove");
      List<Entry> listed = new ArrayList<>();
      index.visit(new byte[0], listed::add);
      check(keys(listed).equals(List.of("a", "d")) && index.info().entries() == 2, "visit");
    }
  }

  static void training(ClipRuntime runtime) throws Exception {
    Path small = root.resolve("build/models/small-32");
    Model model = runtime.openModel(small);
    var batch = new Trainer.Batch();
    batch.images = List.of(runtime.loadImage(root.resolve("Examples/images/cat.png")), runtime.loadImage(root.resolve("Examples/images/pizza.png")));
    batch.texts = List.of("a cat", "pizza");
    var options = new Trainer.Options();
    options.learningRate = 1e-2f;
    Trainer trainer = model.trainer(options), resumed = model.trainer(options);
    double first = trainer.evaluate(batch).loss();
    for (int i = 0; i < 5; i++) {
      trainer.step(batch);
    }
    Path folder = Files.createDirectory(work.resolve("train"));
    trainer.save(folder, 1, "a note");
    Trainer.Metrics last = trainer.evaluate(batch);
    check(last.loss() < first && last.step() == 5, "loss");
    resumed.resume(folder);
    check(resumed.note().equals("a note") && resumed.evaluate(batch).loss() == last.loss(), "resume");
    resumed.setLearningRate(1e-3);
    fails(Status.INVALID_ARGUMENT, "rate", () -> resumed.setLearningRate(-1));
    var odd = new Trainer.Batch();
    odd.images = batch.images;
    odd.texts = List.of("a");
    fails(Status.INVALID_ARGUMENT, "odd batch", () -> resumed.step(odd));
    fails(Status.INVALID_ARGUMENT, "empty batch", () -> resumed.step(new Trainer.Batch()));
    FloatBuffer before = model.encodeTexts("a cat");
    resumed.updateModel(model);
    check(!model.encodeTexts("a cat").equals(before), "update");
    Path exported = folder.resolve("model");
    resumed.export(exported, null);
    var half = new Model.Options();
    half.storage = Model.Storage.INT8_FAST;
    check(runtime.openModel(exported, half).info().storage() == Model.Storage.INT8_FAST, "export");
    model.swap(0, small, new Model.Options());
    check(model.encodeTexts("a cat").equals(before), "swap");
    try (var files = Files.newDirectoryStream(exported, "*.safetensors")) {
      for (Path file : files) {
        Files.delete(file);
      }
    }
    runtime.initializeModel(exported, 1);
    check(runtime.openModel(exported).embeddingWidth() > 0, "initialize");
  }

  static final class Broken implements Codec {
    @Override
    public String id() {
      return "test.codec.broken";
    }

    @Override
    public String description() {
      return "throws";
    }

    @Override
    public String extensions() {
      return "broken";
    }

    @Override
    public boolean recognises(ByteBuffer data) {
      return data.remaining() >= 6 && data.get(0) == 'B' && data.get(5) == 'N';
    }

    @Override
    public Header readHeader(ByteBuffer data) {
      switch (data.get(6)) { // out of range where there is none
        case 'd':
          return new Header(2, 1, PixelFormat.GRAY);
        case 'n':
          return new Header(-1, 1, PixelFormat.GRAY);
        case '0':
          return null;
        default:
          throw new IllegalArgumentException("words".repeat(2000));
      }
    }

    @Override
    public void decode(ByteBuffer data, Header header, ByteBuffer pixels, int stride) {
      pixels.put(data.get(7)).put(data.get(8));
    }
  }

  static void codecs(ClipRuntime runtime) {
    var codec = new Broken();
    runtime.registerCodec(codec);
    fails(Status.PLUGIN, "registered twice", () -> runtime.registerCodec(codec));
    ByteBuffer pixels = runtime.decodeImage(ByteBuffer.wrap(bytes("BROKENdab")), null).pixels();
    check(pixels.get(0) == 'a' && pixels.get(1) == 'b', "codec");
    for (String data : List.of("BROKEN", "BROKENd", "BROKENx", "BROKEN0")) {
      fails(Status.FORMAT, data, () -> runtime.decodeImage(ByteBuffer.wrap(bytes(data)), null));
    }
    try {
      runtime.decodeImage(ByteBuffer.wrap(bytes("BROKENn")), null);
      check(false, "a size below 0");
    } catch (ClipException error) {
      check(true, "");
    }
    runtime.unloadPlugin("test.codec.broken");
    fails(Status.FORMAT, "unloaded", () -> runtime.decodeImage(ByteBuffer.wrap(bytes("BROKENdab")), null));
    fails(Status.NOT_FOUND, "plugin", () -> runtime.loadPlugin(Path.of("/no/plugin.so")));
  }

  static long resident() throws Exception {
    return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]);
  }

  static void tenThousandCalls() throws Exception {
    var options = new ClipRuntime.Options();
    options.threads = 2;
    options.log = (level, message) -> {};
    ClipRuntime runtime = new ClipRuntime(options);
    Model model = runtime.openModel(root.resolve("build/models/small-32"));
    FloatBuffer expected = model.encodeTexts("a cat");
    var encode = new Model.EncodeOptions();
    encode.prompt = "";
    encode.progress = (done, total) -> true;
    var throwing = new Model.EncodeOptions();
    throwing.progress = (done, total) -> {
      throw new ArithmeticException("progress");
    };
    Callable<Boolean> calls = () -> {
      boolean good = true;
      for (int call = 0; call < 2500; call++) {
        try {
          switch (call % 5) {
            case 0 -> good &= runtime.decodeImage(ByteBuffer.wrap(bytes("none")), null) == null;
            case 1 -> good &= runtime.openModel(Path.of("/none")) == null;
            case 2 -> Image.of(ByteBuffer.allocateDirect(3), 1, 1, 0, PixelFormat.RGB); // the Cleaner closes it
            case 3 -> good &= model.encodeTexts(List.of("a cat"), throwing) == null;
            default -> good &= model.encodeTexts(List.of("a cat"), encode).equals(expected);
          }
        } catch (ClipException | ArithmeticException error) {
          good &= call % 5 != 4;
        }
      }
      return good;
    };
    var threads = Executors.newFixedThreadPool(4);
    long before = 0;
    for (int round = 0; round < 3; round++) {
      List<Future<Boolean>> results = threads.invokeAll(List.of(calls, calls, calls, calls));
      for (Future<Boolean> result : results) {
        check(result.get(), "calls from threads");
      }
      System.gc();
      if (round == 1) {
        before = resident();
      }
    }
    long grown = resident() - before;
    check(grown < 4096, "10,000 calls left " + grown + " pages");
    runtime.close(); // the model keeps it
    check(model.encodeTexts("a cat").equals(expected), "after the runtime was closed");
    // Closed while threads use it.
    Callable<Boolean> until = () -> {
      try {
        while (true) {
          model.encodeTexts("a cat");
        }
      } catch (IllegalStateException error) {
        return true;
      }
    };
    List<Future<Boolean>> results = List.of(threads.submit(until), threads.submit(until));
    Thread.sleep(20);
    model.close();
    for (Future<Boolean> result : results) {
      check(result.get(), "closed while it was used");
    }
    threads.shutdown();
  }

  public static void main(String[] arguments) throws Exception {
    root = Path.of(arguments[0]);
    work = Path.of(arguments[1]);
    var options = new ClipRuntime.Options();
    options.threads = 2;
    try (ClipRuntime runtime = new ClipRuntime(options); Model model = runtime.openModel(root.resolve("Models/emoji"))) {
      encoding(runtime, model);
      errors(runtime, model);
      sizes(runtime, root.resolve("build/models/small-32"));
      callbacks(runtime, model);
      index(runtime);
      training(runtime);
      codecs(runtime);
    }
    tenThousandCalls();
    System.out.println(passed + " passed, " + failed + " failed");
    System.exit(failed == 0 ? 0 : 1);
  }
}
