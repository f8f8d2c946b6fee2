package io.vineyard;

import io.vineyard.internal.Utf8;
import io.vineyard.internal.Values;
import java.math.BigInteger;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The three fields of a {@code vineyard::Scalar} and Java's values of it, both ways, as {@code docs/types.md} says. */
final class Scalars {
  static final int MAX_TEXT = 16 * 1024;  // bytes of UTF-8: longer text is a blob

  /** What is wrong with the fields: of the object (the caller knows which), or that Java has no such type. */
  static final class Wrong extends Exception {
    private static final long serialVersionUID = 1;

    final transient Status status;

    Wrong(Status status, String text) {
      super(text, null, false, false);
      this.status = status;
    }
  }

  private Scalars() {}

  // ---- writing

  /** Whether the value is a field of a container as it is. */
  static boolean isBare(Object value) {
    if (value instanceof String) {
      String text = (String) value;
      return text.length() <= MAX_TEXT && Utf8.bytes("text", text).length <= MAX_TEXT;
    }
    return value == null || value instanceof Boolean || value instanceof Double || isInteger(value) && fits((Number) value);
  }

  private static boolean isInteger(Object value) {
    return value instanceof Long || value instanceof Integer || value instanceof Short || value instanceof Byte
        || value instanceof BigInteger;
  }

  // Whether 64 bits are enough, with a sign or without.
  private static boolean fits(Number value) {
    if (!(value instanceof BigInteger)) {
      return true;
    }
    BigInteger big = (BigInteger) value;
    return big.bitLength() < Long.SIZE || big.signum() > 0 && big.bitLength() == Long.SIZE;
  }

  /** The three fields; null: the value is no scalar. */
  static Map<String, Object> fields(Object value) {
    if (value == null) {
      return fields(null, "none", "python");
    }
    if (value instanceof Boolean) {
      return fields(value, "bool", "python");
    }
    if (isInteger(value)) {
      return fits((Number) value) ? fields(value, "int", "python")
          : fields(((BigInteger) value).toByteArray(), "bigint", "python");
    }
    if (value instanceof Double) {
      return fields(value, "float", "python");
    }
    if (value instanceof Float) {  // what has a name of its own keeps it, and its bits
      return fields(Integer.toUnsignedLong(Float.floatToRawIntBits((Float) value)), "float32", "numpy");
    }
    if (value instanceof Complex) {
      Complex complex = (Complex) value;
      return fields(List.of(complex.real(), complex.imaginary()), "complex", "python");
    }
    return null;
  }

  private static Map<String, Object> fields(Object value, String type, String kind) {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("value_", value);
    fields.put("value_type_", type);
    fields.put("scalar_kind_", kind);
    return fields;
  }

  // ---- reading

  /** The value of the three fields. */
  static Object value(Map<String, Object> fields) throws Wrong {
    for (String name : List.of("value_", "value_type_", "scalar_kind_")) {
      if (!fields.containsKey(name)) {
        throw new Wrong(Status.CORRUPT, "a scalar without " + name);
      }
    }
    Object value = fields.get("value_");
    Object type = fields.get("value_type_");
    Object kind = fields.get("scalar_kind_");
    if (!(type instanceof String) || !(kind instanceof String)) {
      throw new Wrong(Status.CORRUPT, "a scalar whose " + (kind instanceof String ? "value_type_ is "
          + Values.kindOf(type) : "scalar_kind_ is " + Values.kindOf(kind)) + ", not a string");
    }
    return switch ((String) kind) {
      case "python" -> python((String) type, value);
      case "numpy" -> numpy((String) type, value);
      default -> throw unknown(kind + "'s " + type);
    };
  }

  private static Object python(String type, Object value) throws Wrong {
    boolean right = switch (type) {
      case "none" -> value == null;
      case "bool" -> value instanceof Boolean;
      case "int" -> value instanceof Long || value instanceof BigInteger;
      case "bigint" -> value instanceof byte[] bytes && isBig(bytes);
      case "float" -> value instanceof Double;
      case "complex" -> isTwo(value, Double.class);
      default -> throw unknown("python's " + type);
    };
    if (!right) {
      throw wrong("python's " + type, value);
    }
    return switch (type) {
      case "bigint" -> new BigInteger((byte[]) value);
      case "complex" -> complex((List<?>) value);
      default -> value;
    };
  }

  private static Object numpy(String type, Object value) throws Wrong {
    ElementType element = ElementType.of(type);
    boolean right = switch (element) {
      case BOOL -> value instanceof Boolean;
      case FLOAT64 -> value instanceof Double;
      case COMPLEX128 -> isTwo(value, Double.class);
      case COMPLEX64 -> isTwo(value, Long.class) && ((List<?>) value).stream().allMatch(part -> isUnsigned(part, 32));
      case UINT8, UINT16, UINT32, UINT64, FLOAT16, FLOAT32 -> isUnsigned(value, 8 * element.size());
      case INT8, INT16, INT32, INT64 -> isSigned(value, 8 * element.size());
      case OTHER -> throw unknown("numpy's " + type);
    };
    if (!right) {
      throw wrong("numpy's " + type, value);
    }
    return switch (element) {
      case FLOAT16 -> Float16Array.toFloat(((Long) value).shortValue());
      case FLOAT32 -> floatOf(value);
      case COMPLEX64 -> new Complex(floatOf(((List<?>) value).get(0)), floatOf(((List<?>) value).get(1)));
      case COMPLEX128 -> complex((List<?>) value);
      default -> value;
    };
  }

  // Only what 64 bits do not hold, in the fewest bytes: one number has one form.
  private static boolean isBig(byte[] bytes) {
    if (bytes.length <= Long.BYTES) {
      return false;
    }
    boolean padded = bytes[0] == 0 && bytes[1] >= 0 || bytes[0] == -1 && bytes[1] < 0;
    return !padded && !(bytes.length == Long.BYTES + 1 && bytes[0] == 0);
  }

  private static boolean isTwo(Object value, Class<?> parts) {
    return value instanceof List<?> list && list.size() == 2 && list.stream().allMatch(parts::isInstance);
  }

  private static boolean isUnsigned(Object value, int bits) {
    return bits == Long.SIZE && value instanceof BigInteger
        || value instanceof Long number && number >= 0 && (bits == Long.SIZE || number >>> bits == 0);
  }

  private static boolean isSigned(Object value, int bits) {
    return value instanceof Long number && number << Long.SIZE - bits >> Long.SIZE - bits == number;
  }

  private static Complex complex(List<?> parts) {
    return new Complex((Double) parts.get(0), (Double) parts.get(1));
  }

  private static float floatOf(Object bits) {
    return Float.intBitsToFloat(((Long) bits).intValue());
  }

  private static Wrong wrong(String type, Object value) {
    boolean shown = value instanceof Long || value instanceof BigInteger;
    return new Wrong(Status.CORRUPT, "a scalar of " + type + " whose value_ is " + (shown ? value : Values.kindOf(value)));
  }

  private static Wrong unknown(String type) {
    return new Wrong(Status.TYPE, "a scalar of " + type + ", of which Java has no value");
  }
}
