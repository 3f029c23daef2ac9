package clipcore;

import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/** Embeddings in one file. Any number of threads may use it at once. */
public final class Index extends Handle {
  /** Zeros and nulls are defaults. */
  public static final class Options {
    /** Make the file if it is not there. */
    public boolean create;
    public boolean readOnly;
    /** Names what made the embeddings. A new file needs one; null: as the file has it. */
    public String fingerprint;
    /** A new file needs it; 0: as the file has it. */
    public int embeddingWidth;
    /** Of a new file: F32, F16 or INT8. */
    public Model.Storage storage = Model.Storage.F32;
    /** How long a call waits for another writer; 0: 10 seconds. */
    public long waitMilliseconds;
  }

  /** Zeros and nulls are defaults. */
  public static final class SearchOptions {
    /** Matches at most; 0: 10. */
    public int count;
    /** Only what scores at least this. */
    public Float threshold;
    /** Whether an entry may be a match. It must not use the index. */
    public Predicate<Entry> filter;
    /** Of reading rows into memory, in rows. It must not use the index. */
    public Progress progress;
  }

  public record Info(int embeddingWidth, Model.Storage storage, long entries, long changes, long fileBytes, long memoryBytes) {}

  /** The key of {@code a} is before that of {@code b}. */
  public record Pair(Entry a, Entry b) {}

  private final int width;

  private Index(long pointer, State runtime, int width) {
    super(pointer, Native::indexRelease, runtime);
    this.width = width;
  }

  private static Index made(long pointer, State runtime) {
    try {
      return new Index(pointer, runtime, describe(pointer).embeddingWidth);
    } catch (ClipException error) {
      Native.indexRelease(pointer);
      throw error;
    }
  }

  /** Of a model folder: the same for a copy under another name. */
  public static String fingerprint(Path folder) {
    return Native.text(Native.fingerprint(Native.path(folder)));
  }

  static Index open(ClipRuntime runtime, Path path, Options options) {
    Options o = options == null ? new Options() : options;
    long[] raw = {(o.create ? 1 : 0) | (o.readOnly ? 2 : 0), o.embeddingWidth, o.storage.ordinal(), o.waitMilliseconds};
    return runtime.make(owner -> Native.indexOpen(owner, Native.path(path), raw, Native.text(o.fingerprint)), Index::made);
  }

  private interface Call<T> {
    T call(long raw);
  }

  private <T> T with(Call<T> call) {
    long raw = state.use();
    try {
      return call.call(raw);
    } finally {
      state.done();
    }
  }

  private static Info describe(long raw) {
    long[] n = new long[6];
    Native.indexDescribe(raw, n);
    return new Info((int) n[0], Model.Storage.values()[(int) Math.min(n[1], 3)], n[2], n[3], n[4], n[5]);
  }

  public Info info() {
    return with(Index::describe);
  }

  /** The fingerprint that the index was created with. */
  public String fingerprint() {
    return with(raw -> Native.text(Native.indexFingerprint(raw)));
  }

  private static byte[] joined(List<byte[]> values) {
    var bytes = new java.io.ByteArrayOutputStream();
    values.forEach(bytes::writeBytes);
    return bytes.toByteArray();
  }

  private static int[] sizes(List<byte[]> values) {
    return values.stream().mapToInt(value -> value.length).toArray();
  }

  /**
   * Adds entries, and replaces those whose keys are there. Embeddings [n, embeddingWidth]; null: the entries keep theirs. Metadata
   * [n]; null: none.
   */
  public void put(List<byte[]> keys, FloatBuffer embeddings, List<byte[]> metadata) {
    int n = keys.size();
    if (embeddings != null && Buffers.rows("embeddings", embeddings.remaining(), width) != n || metadata != null && metadata.size() != n) {
      throw ClipException.invalid("expected embeddings and metadata for each of " + n + " entries");
    }
    FloatBuffer direct = embeddings == null ? null : Buffers.direct(embeddings);
    byte[] extra = metadata == null ? null : joined(metadata);
    with(raw -> {
      Native.indexPut(raw, joined(keys), sizes(keys), direct, extra, metadata == null ? null : sizes(metadata));
      return null;
    });
  }

  /** Gives entries other keys. */
  public void rename(List<byte[]> from, List<byte[]> to) {
    if (from.size() != to.size()) {
      throw ClipException.invalid(from.size() + " keys to rename, and " + to.size() + " new keys");
    }
    with(raw -> {
      Native.indexRename(raw, joined(from), sizes(from), joined(to), sizes(to));
      return null;
    });
  }

  /** Removes entries and returns how many there were. */
  public long remove(List<byte[]> keys) {
    return with(raw -> Native.indexRemove(raw, joined(keys), sizes(keys)));
  }

  /** The entry with this key; {@link Status#NOT_FOUND} if there is none. Its embedding is written to a buffer of embeddingWidth, or null. */
  public Entry get(byte[] key, FloatBuffer embedding) {
    FloatBuffer out = Buffers.floats(width);
    List<Entry> found = new ArrayList<>();
    with(raw -> {
      Native.indexGet(raw, key, out, width, found::add);
      return null;
    });
    if (embedding != null) {
      embedding.put(out);
    }
    return found.get(0);
  }

  /** Lists the entries whose keys begin with {@code prefix}, in the order of their keys' bytes, until {@code visit} returns false. */
  public void visit(byte[] prefix, Predicate<Entry> visit) {
    with(raw -> {
      Native.indexVisit(raw, prefix, visit);
      return null;
    });
  }

  /** The entries nearest to query [embeddingWidth], best first. */
  public List<Entry> search(FloatBuffer query, SearchOptions options) {
    if (query.remaining() != width) {
      throw ClipException.invalid("query: expected " + width + " elements, found " + query.remaining());
    }
    SearchOptions o = options == null ? new SearchOptions() : options;
    List<Entry> found = new ArrayList<>();
    FloatBuffer direct = Buffers.direct(query);
    return with(raw -> {
      Native.indexSearch(raw, direct, o.count, o.threshold != null, o.threshold == null ? 0 : o.threshold, o.filter, o.progress, found::add);
      return found;
    });
  }

  /** Pairs of entries that score at least {@code threshold} (0: 0.95), best first, at most {@code count} (0: 10000). */
  public List<Pair> duplicates(float threshold, int count, Progress progress) {
    List<Pair> pairs = new ArrayList<>();
    return with(raw -> {
      Native.indexDuplicates(raw, count, threshold, progress, (a, b) -> pairs.add(new Pair(a, b)));
      return pairs;
    });
  }

  /**
   * Entries joined by pairs that score at least {@code threshold} (0: 0.95), directly or through others: groups with the nearest
   * pair first.
   */
  public List<List<Entry>> groups(float threshold, Progress progress) {
    List<List<Entry>> groups = new ArrayList<>();
    return with(raw -> {
      Native.indexGroups(raw, threshold, progress, groups);
      return groups;
    });
  }
}
