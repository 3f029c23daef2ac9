package clipcore;

/** What kind of failure a call had. */
public enum Status {
  OK, INVALID_ARGUMENT, NOT_FOUND, IO, FORMAT, UNSUPPORTED, MISMATCH, LIMIT, OUT_OF_MEMORY, PLUGIN, NOT_FINITE, CANCELLED,
  /** Of a later library. */
  UNKNOWN;

  static Status of(int raw) {
    return raw >= 0 && raw < UNKNOWN.ordinal() ? values()[raw] : UNKNOWN;
  }
}
