package io.vineyard;

import java.io.Serializable;
import java.util.Objects;

/**
 * The id of an object: 64 bits, never used twice. Its text is {@code o} and 16 lower-case hexadecimal digits, the same
 * in every language. Immutable.
 *
 * @param number the bits
 */
public record ObjectId(long number) implements Comparable<ObjectId>, Serializable {
  private static final long serialVersionUID = 1;
  private static final int TEXT_LENGTH = 17;

  /** A blob of no bytes that always exists and can not be deleted. */
  public static final ObjectId EMPTY_BLOB = new ObjectId(1L << 63);

  /**
   * The id with this text.
   *
   * @param text exactly the printed form
   * @return the id
   * @throws IllegalArgumentException anything else
   */
  public static ObjectId parse(String text) {
    boolean right = Objects.requireNonNull(text, "text").length() == TEXT_LENGTH && text.charAt(0) == 'o';
    for (int i = 1; right && i < TEXT_LENGTH; ++i) {
      char digit = text.charAt(i);
      right = digit >= '0' && digit <= '9' || digit >= 'a' && digit <= 'f';
    }
    if (!right) {
      throw new IllegalArgumentException(
          "object id '" + text + "': 'o' and 16 hexadecimal digits were expected");
    }
    return new ObjectId(Long.parseUnsignedLong(text, 1, TEXT_LENGTH, 16));
  }

  /**
   * Whether it is a blob's.
   *
   * @return true for the id of a blob
   */
  public boolean isBlob() {
    return number < 0;
  }

  @Override
  public int compareTo(ObjectId other) {
    return Long.compareUnsigned(number, other.number);
  }

  /** The text of the id: {@code o} and 16 digits. */
  @Override
  public String toString() {
    String digits = Long.toHexString(number);
    return "o" + "0".repeat(TEXT_LENGTH - 1 - digits.length()) + digits;
  }
}
