package io.vineyard.internal;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.ConcurrentModificationException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Typed values of metadata as bytes and back; {@code swig/java/values.i} has the other half and the format.
 *
 * <p>null, Boolean, Long (from 2^63 on BigInteger), Double, String, byte[], List, Map with String keys. Lists and maps
 * that were read can not be changed.
 */
public final class Values {
  static final int NULL = 0;
  static final int BOOL = 1;
  static final int INT64 = 2;
  static final int UINT64 = 3;
  static final int FLOAT64 = 4;
  static final int STRING = 5;
  static final int BYTES = 6;
  static final int LIST = 7;
  static final int MAP = 8;

  private static final int MAX_DEPTH = 60;
  private static final BigInteger TWO_64 = BigInteger.ONE.shiftLeft(64);

  private Values() {}

  // ---- reading

  /** What the bytes say. */
  public static Object decode(byte[] bytes) {
    return read(ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN));
  }

  /** A list, as it was written. */
  @SuppressWarnings("unchecked")
  public static List<Object> decodeList(byte[] bytes) {
    return (List<Object>) decode(bytes);
  }

  /** A map, in the order it was written. */
  @SuppressWarnings("unchecked")
  public static Map<String, Object> decodeMap(byte[] bytes) {
    return (Map<String, Object>) decode(bytes);
  }

  private static Object read(ByteBuffer in) {
    int tag = in.get();
    switch (tag) {
      case NULL:
        return null;
      case BOOL:
        return in.get() != 0;
      case INT64:
        return in.getLong();
      case UINT64:
        return unsigned(in.getLong());
      case FLOAT64:
        return in.getDouble();
      case STRING:
        return Utf8.text(readBytes(in));
      case BYTES:
        return readBytes(in);
      case LIST:
        int count = in.getInt();
        List<Object> items = new ArrayList<>(count);
        for (int i = 0; i < count; ++i) {
          items.add(read(in));
        }
        return Collections.unmodifiableList(items);
      case MAP:
        int pairs = in.getInt();
        Map<String, Object> map = new LinkedHashMap<>(2 * pairs);
        for (int i = 0; i < pairs; ++i) {
          String key = (String) read(in);
          map.put(key, read(in));
        }
        return Collections.unmodifiableMap(map);
      default:
        throw new IllegalStateException("metadata: tag " + tag + " is none; the native library is of another build");
    }
  }

  private static byte[] readBytes(ByteBuffer in) {
    byte[] bytes = new byte[in.getInt()];
    in.get(bytes);
    return bytes;
  }

  /** The number that 64 unsigned bits are: a Long where it fits. */
  public static Object unsigned(long bits) {
    return bits >= 0 ? (Object) bits : BigInteger.valueOf(bits).add(TWO_64);
  }

  /** What a value is, in the words of docs/types.md. */
  public static String kindOf(Object value) {
    return value == null ? "null" : value instanceof Boolean ? "a bool" : value instanceof Long || value instanceof BigInteger ? "an integer"
        : value instanceof Double ? "a float64" : value instanceof String ? "a string" : value instanceof byte[] ? "bytes"
        : value instanceof List ? "a list" : "a map";
  }

  // ---- writing

  /**
   * The bytes of a value.
   *
   * @param what names it in errors
   * @throws IllegalArgumentException a value that metadata can not have; the text says where in it
   */
  public static byte[] encode(String what, Object value) {
    Writer out = new Writer();
    Place place = new Place();
    try {
      write(out, place, value);
    } catch (IllegalArgumentException error) {
      throw new IllegalArgumentException(what + ": " + place.say(error.getMessage()), error);
    }
    return Arrays.copyOf(out.buffer.array(), out.buffer.position());
  }

  private static void write(Writer out, Place place, Object value) {
    if (place.depth() > MAX_DEPTH) {
      throw new IllegalArgumentException("lists and maps nested more than " + MAX_DEPTH + " deep");
    }
    if (value == null) {
      out.room(1).put((byte) NULL);
    } else if (value instanceof Boolean) {
      out.room(2).put((byte) BOOL).put((byte) ((Boolean) value ? 1 : 0));
    } else if (value instanceof Long || value instanceof Integer || value instanceof Short || value instanceof Byte) {
      out.room(9).put((byte) INT64).putLong(((Number) value).longValue());
    } else if (value instanceof BigInteger) {
      writeInteger(out, (BigInteger) value);
    } else if (value instanceof Double || value instanceof Float) {
      out.room(9).put((byte) FLOAT64).putDouble(((Number) value).doubleValue());
    } else if (value instanceof String) {
      writeText(out, STRING, Utf8.bytes("text", (String) value));
    } else if (value instanceof byte[]) {
      writeText(out, BYTES, (byte[]) value);
    } else if (value instanceof List<?>) {
      writeList(out, place, (List<?>) value);
    } else if (value instanceof Map<?, ?>) {
      writeMap(out, place, (Map<?, ?>) value);
    } else {
      throw new IllegalArgumentException("a " + value.getClass().getTypeName() + " can not be metadata: null, Boolean, Byte, Short, "
          + "Integer, Long, BigInteger of 64 bits, Float, Double, String, byte[], List and Map with String keys can");
    }
  }

  private static void writeList(Writer out, Place place, List<?> items) {
    int size = items.size();
    out.room(5).put((byte) LIST).putInt(size);
    int i = 0;
    place.enter();
    for (Object item : items) {
      place.at(i++);
      write(out, place, item);
    }
    place.leave();
    checkSize(size, i);
  }

  private static void writeMap(Writer out, Place place, Map<?, ?> map) {
    int size = map.size();
    out.room(5).put((byte) MAP).putInt(size);
    int i = 0;
    place.enter();
    for (Map.Entry<?, ?> entry : map.entrySet()) {
      place.atKey(i);
      if (!(entry.getKey() instanceof String)) {
        throw new IllegalArgumentException("the keys of a map are strings");
      }
      write(out, place, entry.getKey());
      place.atValue(i++, entry.getKey());
      write(out, place, entry.getValue());
    }
    place.leave();
    checkSize(size, i);
  }

  /** Whether a collection gave as many elements as it said: else it was changed meanwhile, and what was read of it is nothing. */
  public static void checkSize(int said, int given) {
    if (said != given) {
      throw new ConcurrentModificationException("a collection of " + said + " elements gave " + given + ": it was changed meanwhile");
    }
  }

  private static void writeInteger(Writer out, BigInteger value) {
    if (value.bitLength() < Long.SIZE) {
      out.room(9).put((byte) INT64).putLong(value.longValue());
    } else if (value.signum() > 0 && value.bitLength() == Long.SIZE) {
      out.room(9).put((byte) UINT64).putLong(value.longValue());
    } else {
      throw new IllegalArgumentException(value + " has more than 64 bits");
    }
  }

  private static void writeText(Writer out, int tag, byte[] bytes) {
    out.room(5 + bytes.length).put((byte) tag).putInt(bytes.length).put(bytes);
  }

  private static final class Writer {
    ByteBuffer buffer = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);

    ByteBuffer room(int size) {
      if (buffer.remaining() < size) {
        int capacity = Math.addExact(Math.max(buffer.capacity() * 2, buffer.capacity()), size);
        buffer = ByteBuffer.allocate(capacity).order(ByteOrder.LITTLE_ENDIAN).put(buffer.flip());
      }
      return buffer;
    }
  }
}
