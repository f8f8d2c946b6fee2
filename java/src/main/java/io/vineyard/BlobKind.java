package io.vineyard;

/** How a blob is stored. What Java and others read is the value, whatever the kind. */
public enum BlobKind {
  /** As it is. */
  BUFFER(1),
  /** As Python's {@code bytes}: in Python the value is a {@code bytes}. */
  BYTES(2),
  /** As Python's {@code bytearray}. */
  BYTEARRAY(3);

  private final int number;

  BlobKind(int number) {
    this.number = number;
  }

  int number() {
    return number;
  }

  static BlobKind of(int number) {
    return values()[number - 1];
  }
}
