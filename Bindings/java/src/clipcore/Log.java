package clipcore;

/** Receives messages on any thread. It must not call the library; an exception is ignored. */
@FunctionalInterface
public interface Log {
  enum Level { ERROR, WARNING, INFO }

  void message(Level level, String message);
}
