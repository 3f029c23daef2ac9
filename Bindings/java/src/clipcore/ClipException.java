package clipcore;

/** A failed call: its status, and what was expected, what was found and where. */
public final class ClipException extends RuntimeException {
  private static final long serialVersionUID = 1;
  private final Status status;

  ClipException(Status status, String name, String message) {
    super(name + ": " + message);
    this.status = status;
  }

  static ClipException invalid(String message) {
    return new ClipException(Status.INVALID_ARGUMENT, "CLIP_INVALID_ARGUMENT", message);
  }

  public Status status() {
    return status;
  }
}
