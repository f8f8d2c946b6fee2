package io.vineyard;

import java.math.BigInteger;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.LongConsumer;
import java.util.function.Supplier;

/**
 * Java's value of an object, as {@code docs/types.md} says: one get, which reads a tree and opens nothing that stays open
 * but the payloads it gives.
 */
final class ValueReader {
  private static final String ELEMENT = "__elements_-";
  private static final String KEY = "__values_-key-";
  private static final String VALUE = "__values_-value-";

  private static final int MAX_DEPTH = 256;  // for which the stack of any thread is enough

  private final RemotePolicy remote;
  private final LongConsumer copied;
  private final Map<ObjectId, Object> known = new HashMap<>();
  private int depth;  // of the object that is being read

  /** `copied` is told how many bytes of payload were copied. */
  ValueReader(RemotePolicy remote, LongConsumer copied) {
    this.remote = remote;
    this.copied = copied;
  }

  /** Of an object that the caller closes. */
  Object read(VineyardObject object) {
    if (known.containsKey(object.id())) {
      return known.get(object.id());
    }
    // A put has 64 levels at most, but what it links to may have as many below.
    if (++depth > MAX_DEPTH) {
      throw VineyardException.of(Status.LIMIT, "object " + object.id() + ": more than " + MAX_DEPTH
          + " levels of objects; read its members with Client.get");
    }
    Object value = readByType(object);
    --depth;
    known.put(object.id(), value);
    return value;
  }

  private Object readByType(VineyardObject object) {
    String type = object.typeName();
    int parameters = type.indexOf('<');
    switch (parameters < 0 ? type : type.substring(0, parameters)) {
      case "vineyard::Blob":
        return payload(() -> ofBlob(object.blob()));
      case "vineyard::Scalar":
        return scalar(type, object.fields());
      case "vineyard::String":
        Object text = object.fields().get("value_");
        if (text != null && !(text instanceof String)) {
          throw VineyardException.of(Status.CORRUPT, "object " + object.id() + ": a vineyard::String whose value_ is no text");
        }
        return text != null ? text : payload(() -> longText(object));
      case "vineyard::Pair":
        return Tuple.of(element(object, "first_"), element(object, "second_"));
      case "vineyard::Tuple":
      case "vineyard::Sequence":
        return Tuple.copyOf(elements(object, ELEMENT, size(object, "__elements_-size")));
      case "vineyard::List":
        return Collections.unmodifiableList(elements(object, ELEMENT, size(object, "__elements_-size")));
      case "vineyard::Dict":
        return dict(object);
      case "vineyard::Array":
      case "vineyard::Tensor":
        return payload(object::tensor);
      case "vineyard::PickleBuffer":
        throw VineyardException.of(Status.UNSUPPORTED, "object " + object.id() + ": a vineyard::PickleBuffer, a pickle of "
            + object.fields().get("nbytes") + " bytes, which only Python can read");
      default:
        throw VineyardException.of(Status.TYPE, "object " + object.id() + ": a " + type
            + ", of which Java has no value; read its fields and members with Client.get");
    }
  }

  // Bytes of Python are a copy, other payload is read in place.
  private Object ofBlob(Blob blob) {
    if (blob.kind() == BlobKind.BUFFER) {
      return blob.size() <= Integer.MAX_VALUE ? (Object) blob.buffer() : blob;
    }
    if (blob.size() > Integer.MAX_VALUE) {
      return blob;
    }
    try (blob) {
      byte[] bytes = blob.toByteArray();
      copied.accept(bytes.length);
      return bytes;
    }
  }

  private String longText(VineyardObject object) {
    try (Blob blob = object.memberBlob("buffer_")) {
      if (blob.size() > Integer.MAX_VALUE) {
        throw VineyardException.of(Status.LIMIT, "object " + object.id() + ": text of " + blob.size()
            + " bytes, more than a String can have; read its member buffer_ by slices");
      }
      String text = StandardCharsets.UTF_8.newDecoder().decode(blob.buffer()).toString();
      copied.accept(blob.size());
      return text;
    } catch (CharacterCodingException error) {
      throw VineyardException.of(Status.CORRUPT, "object " + object.id() + ": a vineyard::String whose bytes are no UTF-8");
    }
  }

  // What lies on another instance is what the policy says. What is lost is an error anyway.
  private Object payload(Supplier<Object> read) {
    try {
      return read.get();
    } catch (VineyardException.Remote error) {
      switch (remote) {
        case NONE:
          return null;
        case FETCH:
          throw VineyardException.of(Status.UNAVAILABLE, error.getMessage() + "; payloads can not be fetched from there yet");
        default:
          throw error;
      }
    }
  }

  // ---- containers

  private static int size(VineyardObject object, String field) {
    long size = object.getLong(field);
    // Each element is a field or a member: more than there are is a broken record, and no reason to take memory.
    if (size < 0 || size > (long) object.fields().size() + object.members().size()) {
      throw VineyardException.of(Status.CORRUPT, "object " + object.id() + ": " + field + " is " + size);
    }
    return (int) size;
  }

  private List<Object> elements(VineyardObject object, String prefix, int size) {
    List<Object> elements = new ArrayList<>(size);
    for (int i = 0; i < size; ++i) {
      elements.add(element(object, prefix + i));
    }
    return elements;
  }

  @SuppressWarnings("unchecked")
  private Object element(VineyardObject object, String name) {
    if (object.fields().containsKey(name)) {
      Object field = object.fields().get(name);
      return field instanceof Map ? scalar(object.typeName(), (Map<String, Object>) field) : field;
    }
    try (VineyardObject member = object.member(name)) {
      return read(member);
    }
  }

  private Map<Object, Object> dict(VineyardObject object) {
    int size = size(object, "__values_-size");
    Map<Object, Object> map = new LinkedHashMap<>();
    for (int i = 0; i < size; ++i) {
      map.put(element(object, KEY + i), element(object, VALUE + i));
    }
    return Collections.unmodifiableMap(map);
  }

  // ---- scalars

  private static Object scalar(String type, Map<String, Object> fields) {
    Object value = fields.get("value_");
    Object kind = fields.get("value_type_");
    boolean numpy = "numpy".equals(fields.get("scalar_kind_"));
    try {
      switch (String.valueOf(kind)) {
        case "none":
          return null;
        case "bigint":
          return new BigInteger((byte[]) value);
        case "complex":
        case "complex128":
          List<?> parts = (List<?>) value;
          return new Complex((Double) parts.get(0), (Double) parts.get(1));
        case "complex64":
          List<?> bits = (List<?>) value;
          return new Complex(floatOf(bits.get(0)), floatOf(bits.get(1)));
        case "float16":
          return Float16Array.toFloat(((Long) value).shortValue());
        case "float32":
          return floatOf(value);
        case "bool":
          return (Boolean) Objects.requireNonNull(value);
        case "float":
        case "float64":
          return (Double) Objects.requireNonNull(value);
        default:
          if (kind != null && (kind.equals("int") || numpy && ElementType.of((String) kind) != ElementType.OTHER)) {
            return value instanceof BigInteger ? value : (Long) Objects.requireNonNull(value);
          }
      }
    } catch (ClassCastException | IndexOutOfBoundsException | NullPointerException | NumberFormatException error) {
      throw VineyardException.of(Status.CORRUPT, type + ": its value is no " + kind);
    }
    throw VineyardException.of(Status.UNSUPPORTED, type + ": of value type '" + kind + "', of which Java has no value");
  }

  private static float floatOf(Object bits) {
    return Float.intBitsToFloat(((Long) bits).intValue());
  }
}
