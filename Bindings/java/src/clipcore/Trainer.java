package clipcore;

import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.file.Path;
import java.util.List;

/** A model's weights in training. Its calls wait for each other. */
public final class Trainer extends Handle {
  public enum Optimizer { ADAMW, SGD }

  /** Of the learning rate, after a linear warm-up. */
  public enum Schedule { CONSTANT, COSINE, LINEAR }

  /** Zeros are defaults, which clip_train.h names. */
  public static final class Options {
    /** Keep few activations and compute the others again: less memory, more time. */
    public boolean recompute;
    public long seed;
    public Optimizer optimizer = Optimizer.ADAMW;
    public Schedule schedule = Schedule.CONSTANT;
    public long warmupSteps, totalSteps;
    /** Items computed at a time; 0: all. */
    public int chunk;
    public float learningRate, beta1, beta2, epsilon, weightDecay, gradientClip, finalRate, averageDecay;
  }

  /**
   * n pairs: image i belongs to text i. Images are given as pixels (preprocessed) or images, texts as tokens or texts; the first of
   * each counts if both are set.
   */
  public static final class Batch {
    public FloatBuffer pixels;
    public List<Image> images = List.of();
    public IntBuffer tokens;
    public List<String> texts = List.of();
    /** For images and texts. Its progress is not called. */
    public Model.EncodeOptions options = new Model.EncodeOptions();
  }

  /** Accuracy is the share of images and texts that rank their own partner first; temperature the factor of cosines. */
  public record Metrics(double accuracy, double loss, double temperature, double gradientNorm, double learningRate, long step) {}

  private final long pixels, context;

  private Trainer(long pointer, State model, long[] sizes) {
    super(pointer, Native::trainerRelease, model);
    pixels = 3 * sizes[0] * sizes[1];
    context = sizes[2];
  }

  static Trainer create(Model model, Options options) {
    Options o = options == null ? new Options() : options;
    long[] sizes = new long[3];
    long[] numbers = {o.recompute ? 1 : 0, o.seed, o.optimizer.ordinal(), o.schedule.ordinal(), o.warmupSteps, o.totalSteps, o.chunk};
    float[] rates = {o.learningRate, o.beta1, o.beta2, o.epsilon, o.weightDecay, o.gradientClip, o.finalRate, o.averageDecay};
    long raw = model.state.use(); // to the end of the trainer, so that the runtime and its log stay
    try {
      return new Trainer(Native.trainerCreate(raw, numbers, rates, sizes), model.state, sizes);
    } catch (RuntimeException error) {
      model.state.done();
      throw error;
    }
  }

  private interface Call<T> {
    T call(long raw);
  }

  private synchronized <T> T with(Call<T> call) {
    long raw = state.use();
    try {
      return call.call(raw);
    } finally {
      state.done();
    }
  }

  /** Makes one update from one batch. */
  public Metrics step(Batch batch) {
    return run(true, batch);
  }

  /** Loss and accuracy of a batch, without an update. */
  public Metrics evaluate(Batch batch) {
    return run(false, batch);
  }

  private Metrics run(boolean step, Batch b) {
    int images = b.pixels == null ? b.images.size() : Buffers.rows("pixels", b.pixels.remaining(), pixels);
    int n = b.tokens == null ? b.texts.size() : Buffers.rows("tokens", b.tokens.remaining(), context);
    if (images != n) {
      throw ClipException.invalid("a batch of " + images + " images and " + n + " texts");
    }
    FloatBuffer in = b.pixels == null ? null : Buffers.direct(b.pixels);
    IntBuffer ids = b.tokens == null ? null : Buffers.direct(b.tokens);
    byte[] texts = b.tokens == null ? Native.texts(b.texts) : null;
    double[] m = new double[6];
    Image.withViews(b.pixels == null ? b.images : List.of(), views -> with(raw -> {
      Native.trainerRun(step, raw, n, views, in, texts, ids, b.options.raw(), Native.text(b.options.prompt), m);
      return null;
    }));
    return new Metrics(m[0], m[1], m[2], m[3], m[4], (long) m[5]);
  }

  public void setLearningRate(double rate) {
    with(raw -> {
      Native.trainerSetLearningRate(raw, rate);
      return null;
    });
  }

  /** Writes a checkpoint, and removes all but the last {@code keep} (0: none is removed). */
  public void save(Path folder, int keep, String note) {
    with(raw -> {
      Native.trainerSave(raw, Native.path(folder), keep, Native.text(note));
      return null;
    });
  }

  /** Continues from a checkpoint, or from the last one of a folder. */
  public void resume(Path path) {
    with(raw -> {
      Native.trainerResume(raw, Native.path(path));
      return null;
    });
  }

  /** The note of the checkpoint last resumed from. */
  public String note() {
    return with(raw -> Native.text(Native.trainerNote(raw)));
  }

  /** Writes a model folder in the layout that the model was opened in. */
  public void export(Path folder, Progress progress) {
    with(raw -> {
      Native.trainerExport(raw, Native.path(folder), progress);
      return null;
    });
  }

  /** Gives an open model these weights while other threads use it. */
  public void updateModel(Model model) {
    long raw = model.state.use();
    try {
      with(own -> {
        Native.trainerUpdateModel(own, raw);
        return null;
      });
    } finally {
      model.state.done();
    }
  }
}
