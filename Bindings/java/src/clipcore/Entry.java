package clipcore;

import java.nio.charset.StandardCharsets;

/** An entry of an index: the cosine where entries are compared, else 0; its key; its metadata, empty for none. */
public record Entry(float score, byte[] key, byte[] metadata) {
  /** The key as UTF-8. */
  public String keyText() {
    return new String(key, StandardCharsets.UTF_8);
  }
}
