package io.vineyard.internal;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Objects;

/** The only place where text becomes bytes: UTF-8, where JNI's own functions would write something else. */
public final class Utf8 {
  private Utf8() {}

  /** Text that was checked when it was stored. */
  public static String text(byte[] bytes) {
    return new String(bytes, StandardCharsets.UTF_8);
  }

  /**
   * The bytes of a value; may hold NUL.
   *
   * @throws IllegalArgumentException a surrogate without its other half: it has no UTF-8 form
   */
  public static byte[] bytes(String what, String text) {
    ByteBuffer encoded = encode(what, text);
    byte[] bytes = new byte[encoded.remaining()];
    encoded.get(bytes);
    return bytes;
  }

  /**
   * The bytes of a name, key or path and a NUL, as the native library takes them.
   *
   * @throws IllegalArgumentException no UTF-8 form, or a NUL inside
   */
  public static byte[] name(String what, String text) {
    Objects.requireNonNull(text, what);
    if (text.indexOf('\0') >= 0) {
      throw new IllegalArgumentException(what + ": it has a NUL character, which names and paths may not have");
    }
    ByteBuffer encoded = encode(what, text);
    byte[] bytes = new byte[encoded.remaining() + 1];
    encoded.get(bytes, 0, bytes.length - 1);
    return bytes;
  }

  /** As {@link #name}, and null for null. */
  public static byte[] nameOrNull(String what, String text) {
    return text == null ? null : name(what, text);
  }

  private static ByteBuffer encode(String what, String text) {
    try {
      return StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
    } catch (CharacterCodingException error) {
      throw new IllegalArgumentException(what + ": a surrogate without its other half, it has no UTF-8 form", error);
    }
  }
}
