package clipcore;

import java.lang.ref.Cleaner;
import java.util.function.LongConsumer;

/**
 * What the library holds until {@link #close}, which gives it up in any order and while calls run: the last user frees it.
 * What the program forgets, a {@link Cleaner} closes. A call on a closed handle is an {@link IllegalStateException}.
 */
public abstract class Handle implements AutoCloseable {
  private static final Cleaner CLEANER = Cleaner.create();
  final State state;
  private final Cleaner.Cleanable cleanable;

  Handle(long pointer, LongConsumer release, State keeps) {
    state = new State(pointer, release, keeps);
    cleanable = CLEANER.register(this, state);
  }

  @Override
  public final void close() {
    cleanable.clean();
  }

  /** Has no reference to the handle, so that the handle can be forgotten. */
  static final class State implements Runnable {
    private final long pointer;
    private final LongConsumer release;
    private final State keeps;
    private int users;
    private boolean closed;

    State(long pointer, LongConsumer release, State keeps) {
      this.pointer = pointer;
      this.release = release;
      this.keeps = keeps;
    }

    /** The beginning of a call: its pointer. {@link #done} is its end. */
    synchronized long use() {
      if (closed) {
        throw new IllegalStateException("the handle is closed");
      }
      users++;
      return pointer;
    }

    void done() {
      boolean last;
      synchronized (this) {
        users--;
        last = closed && users == 0;
      }
      if (last) {
        free();
      }
    }

    /** Closes. */
    @Override
    public void run() {
      boolean last;
      synchronized (this) {
        last = !closed && users == 0;
        closed = true;
      }
      if (last) {
        free();
      }
    }

    private void free() {
      release.accept(pointer);
      if (keeps != null) {
        keeps.done();
      }
    }
  }
}
