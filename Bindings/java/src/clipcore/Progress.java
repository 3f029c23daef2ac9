package clipcore;

/** Called during a long call, on its thread. An exception ends the call and goes on in the caller. */
@FunctionalInterface
public interface Progress {
  /** {@code done} of {@code total} is done; false cancels the call, which is then {@link Status#CANCELLED}. */
  boolean update(long done, long total);
}
