package io.vineyard;

import io.vineyard.internal.Utf8;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;

/** The metadata of Java's values, as {@code docs/types.md} says: what Python writes for the like, field for field. */
final class ValueBuilder {
  private static final int MAX_TEXT = 16 * 1024;  // bytes of UTF-8: longer text is a blob

  // A value met twice is one object; null while it is being built.
  private final Map<Object, ObjectMeta> known = new IdentityHashMap<>();
  private int depth;  // of the value that is being built
  private final Map<Object, ObjectMeta.Payload> payloads = new IdentityHashMap<>();

  /** The metadata of a value that is no payload by itself (byte[] and ByteBuffer are). */
  ObjectMeta build(Object value) {
    if (known.containsKey(value)) {
      ObjectMeta built = known.get(value);
      if (built == null) {
        throw new IllegalArgumentException("put: a " + value.getClass().getName() + " that contains itself");
      }
      return built;
    }
    Map<String, Object> scalar = scalar(value);
    if (scalar != null) {
      return new ObjectMeta("vineyard::Scalar").setAll(scalar);
    }
    if (++depth > TreePut.MAX_DEPTH) {
      throw TreePut.tooDeep();
    }
    known.put(value, null);
    ObjectMeta built;
    if (value instanceof String) {
      built = text((String) value);
    } else if (value instanceof Map<?, ?>) {
      built = dict((Map<?, ?>) value);
    } else if (value instanceof List<?>) {
      built = list((List<?>) value);
    } else if (value.getClass().isArray() && value.getClass().getComponentType().isPrimitive()) {
      built = array(value, null);
    } else if (value instanceof Object[]) {
      built = list(Arrays.asList((Object[]) value));
    } else if (value instanceof ObjectId || value instanceof VineyardObject || value instanceof Tensor || value instanceof Blob) {
      throw VineyardException.of(Status.TYPE, "put: " + value + " is in the store already; a list, tuple or map links to it");
    } else {
      throw VineyardException.of(Status.TYPE, "put: a " + value.getClass().getName() + " has no form that other languages read; "
          + "put an ObjectMeta");
    }
    known.put(value, built);
    --depth;
    return built;
  }

  // ---- leaves

  private static boolean isBareLeaf(Object value) {
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

  private static boolean fits(Number value) {
    if (!(value instanceof BigInteger)) {
      return true;
    }
    BigInteger big = (BigInteger) value;
    return big.bitLength() < Long.SIZE || big.signum() > 0 && big.bitLength() == Long.SIZE;
  }

  // The three fields of a scalar; null: it is none.
  private static Map<String, Object> scalar(Object value) {
    if (value == null) {
      return scalar(null, "none", "python");
    }
    if (value instanceof Boolean) {
      return scalar(value, "bool", "python");
    }
    if (isInteger(value)) {
      return fits((Number) value) ? scalar(value, "int", "python")
          : scalar(((BigInteger) value).toByteArray(), "bigint", "python");
    }
    if (value instanceof Double) {
      return scalar(value, "float", "python");
    }
    if (value instanceof Float) {  // what has a name of its own keeps it, and its bits
      return scalar(Integer.toUnsignedLong(Float.floatToRawIntBits((Float) value)), "float32", "numpy");
    }
    if (value instanceof Complex) {
      Complex complex = (Complex) value;
      return scalar(List.of(complex.real(), complex.imaginary()), "complex", "python");
    }
    return null;
  }

  private static Map<String, Object> scalar(Object value, String type, String kind) {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("value_", value);
    fields.put("value_type_", type);
    fields.put("scalar_kind_", kind);
    return fields;
  }

  private static ObjectMeta text(String value) {
    byte[] bytes = Utf8.bytes("text", value);
    ObjectMeta meta = new ObjectMeta("vineyard::String");
    return bytes.length <= MAX_TEXT ? meta.set("value_", value) : meta.add("buffer_", bytes, BlobKind.BUFFER);
  }

  // ---- containers

  private ObjectMeta list(List<?> value) {
    if (value instanceof Tuple && value.size() == 2) {
      ObjectMeta pair = new ObjectMeta("vineyard::Pair");
      add(pair, "first_", value.get(0));
      add(pair, "second_", value.get(1));
      return pair;
    }
    ObjectMeta meta = new ObjectMeta(value instanceof Tuple ? "vineyard::Tuple" : "vineyard::List");
    meta.set("__elements_-size", value.size());
    addAll(meta, "__elements_-", new ArrayList<>(value));
    return meta;
  }

  private ObjectMeta dict(Map<?, ?> value) {
    List<Object> keys = new ArrayList<>();
    List<Object> values = new ArrayList<>();
    value.forEach((key, each) -> {
      keys.add(key);
      values.add(each);
    });
    ObjectMeta meta = new ObjectMeta("vineyard::Dict").set("__values_-size", keys.size());
    addAll(meta, "__values_-key-", keys);
    addAll(meta, "__values_-value-", values);
    return meta;
  }

  // Bare leaves first, as everybody writes them.
  private void addAll(ObjectMeta meta, String prefix, List<Object> values) {
    for (int i = 0; i < values.size(); ++i) {
      if (isBareLeaf(values.get(i))) {
        meta.set(prefix + i, values.get(i));
      }
    }
    for (int i = 0; i < values.size(); ++i) {
      if (!isBareLeaf(values.get(i))) {
        add(meta, prefix + i, values.get(i));
      }
    }
  }

  private void add(ObjectMeta meta, String name, Object value) {
    if (isBareLeaf(value)) {
      meta.set(name, value);
      return;
    }
    Map<String, Object> scalar = scalar(value);
    if (scalar != null) {
      meta.set(name, scalar);
    } else if (value instanceof byte[]) {
      meta.add(name, payload(value, ByteBuffer.wrap((byte[]) value), BlobKind.BYTES));
    } else if (value instanceof ByteBuffer) {
      meta.add(name, payload(value, (ByteBuffer) value, BlobKind.BUFFER));
    } else if (value instanceof ObjectId) {
      meta.add(name, (ObjectId) value);
    } else if (value instanceof VineyardObject) {
      meta.add(name, (VineyardObject) value);
    } else if (value instanceof Tensor) {
      meta.add(name, ((Tensor) value).id());
    } else if (value instanceof Blob) {
      meta.add(name, ((Blob) value).id());
    } else if (value instanceof ObjectMeta) {
      meta.add(name, (ObjectMeta) value);
    } else {
      meta.add(name, build(value));
    }
  }

  private ObjectMeta.Payload payload(Object value, ByteBuffer bytes, BlobKind kind) {
    ObjectMeta.Payload met = payloads.get(value);
    if (met != null) {
      met.shared = true;
      return met;
    }
    ObjectMeta.Payload made = ObjectMeta.Payload.of(bytes, kind);
    payloads.put(value, made);
    return made;
  }

  // ---- arrays

  /** An array of Java, of one dimension or of this shape (in C's order). */
  static ObjectMeta array(Object value, long[] shape) {
    if (value instanceof byte[] bytes) {
      return array(ElementType.INT8, bytes.length, shape, to -> to.put(bytes));
    }
    if (value instanceof short[] numbers) {
      return array(ElementType.INT16, numbers.length, shape, to -> to.asShortBuffer().put(numbers));
    }
    if (value instanceof int[] numbers) {
      return array(ElementType.INT32, numbers.length, shape, to -> to.asIntBuffer().put(numbers));
    }
    if (value instanceof long[] numbers) {
      return array(ElementType.INT64, numbers.length, shape, to -> to.asLongBuffer().put(numbers));
    }
    if (value instanceof float[] numbers) {
      return array(ElementType.FLOAT32, numbers.length, shape, to -> to.asFloatBuffer().put(numbers));
    }
    if (value instanceof double[] numbers) {
      return array(ElementType.FLOAT64, numbers.length, shape, to -> to.asDoubleBuffer().put(numbers));
    }
    if (value instanceof boolean[] truths) {
      return array(ElementType.BOOL, truths.length, shape, to -> {
        for (boolean truth : truths) {
          to.put((byte) (truth ? 1 : 0));
        }
      });
    }
    throw VineyardException.of(Status.TYPE, "put: a " + value.getClass().getSimpleName() + " is no array of numbers");
  }

  private static ObjectMeta array(ElementType element, int length, long[] shape, Consumer<ByteBuffer> fill) {
    long bytes = (long) length * element.size();
    if (bytes > Integer.MAX_VALUE) {
      throw VineyardException.of(Status.LIMIT, "put: an array of " + bytes + " bytes; above 2 GiB write a BlobWriter");
    }
    return header(element, bytes, shape == null ? new long[] {length} : shape, false).add("buffer_", (int) bytes, fill);
  }

  /** An array of these little-endian bytes. */
  static ObjectMeta tensor(ElementType element, ByteBuffer bytes, long[] shape, boolean fortran) {
    return header(element, bytes.remaining(), shape, fortran).add("buffer_", bytes, BlobKind.BUFFER);
  }

  /** An array without its buffer. */
  static ObjectMeta header(ElementType element, long byteSize, long[] shape, boolean fortran) {
    Objects.requireNonNull(element, "element");
    Objects.requireNonNull(shape, "shape");
    if (element == ElementType.OTHER) {
      throw new IllegalArgumentException("put: an array of elements that only Python knows");
    }
    long wanted = element.size();
    List<Object> sizes = new ArrayList<>();
    for (long size : shape) {
      if (size < 0) {
        throw new IllegalArgumentException("put: an array of shape " + Arrays.toString(shape) + "; a size is not negative");
      }
      if (size != 0 && wanted > Long.MAX_VALUE / size) {
        throw new IllegalArgumentException("put: an array of " + element.spelling() + Arrays.toString(shape)
            + " has more than 2^63 bytes, not " + byteSize);
      }
      wanted *= size;
      sizes.add(size);
    }
    if (wanted != byteSize) {
      throw new IllegalArgumentException("put: an array of " + element.spelling() + Arrays.toString(shape) + " has " + wanted
          + " bytes, not " + byteSize);
    }
    return new ObjectMeta(shape.length == 1 ? "vineyard::Array" : "vineyard::Tensor")
        .set("value_type_", element.spelling())
        .set("shape_", sizes)
        .set("order_", fortran && !isBoth(shape) ? "F" : "C")
        .set("value_type_meta_", descriptor(element))
        .set("partition_index_", List.of());
  }

  // Whether elements lie the same in both orders: C is said of these.
  private static boolean isBoth(long[] shape) {
    return Arrays.stream(shape).filter(size -> size != 1).count() < 2 || Arrays.stream(shape).anyMatch(size -> size == 0);
  }

  // numpy's name of the type: byte order, kind, bytes.
  private static String descriptor(ElementType element) {
    String spelling = element.spelling();
    String kind = element == ElementType.BOOL ? "b" : spelling.substring(0, 1);
    return (element.size() == 1 ? "|" : "<") + kind + element.size();
  }
}
