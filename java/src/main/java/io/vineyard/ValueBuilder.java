package io.vineyard;

import io.vineyard.internal.Place;
import io.vineyard.internal.Utf8;
import io.vineyard.internal.Values;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntConsumer;

/** The metadata of Java's values, as {@code docs/types.md} says: what Python writes for the like, field for field. */
final class ValueBuilder {
  // A value met twice is one object; null while it is being built.
  private final Map<Object, ObjectMeta> known = new IdentityHashMap<>();
  private final Map<Object, ObjectMeta.Payload> payloads = new IdentityHashMap<>();
  private final Place place = new Place();  // of the value that is being built

  /** The metadata of a value that is no payload by itself (byte[] and ByteBuffer are); errors say where in it. */
  static ObjectMeta build(Object value) {
    ValueBuilder builder = new ValueBuilder();
    try {
      return builder.buildOne(value);
    } catch (VineyardException error) {
      throw VineyardException.of(error.status(), builder.said(error));
    } catch (IllegalArgumentException error) {
      throw new IllegalArgumentException(builder.said(error), error);
    }
  }

  private String said(RuntimeException error) {
    String text = String.valueOf(error.getMessage());  // of a collection of somebody's own there may be none
    return "put: " + place.say(text.startsWith("put: ") ? text.substring("put: ".length()) : text);
  }

  private ObjectMeta buildOne(Object value) {
    if (known.containsKey(value)) {
      ObjectMeta built = known.get(value);
      if (built == null) {
        throw new IllegalArgumentException(nameOf(value) + " that contains itself");
      }
      return built;
    }
    Map<String, Object> scalar = Scalars.fields(value);
    if (scalar != null) {
      return new ObjectMeta("vineyard::Scalar").setAll(scalar);
    }
    if (place.depth() == TreePut.MAX_DEPTH) {
      throw TreePut.tooDeep();
    }
    known.put(value, null);
    place.enter();
    ObjectMeta built;
    if (value instanceof String) {
      built = text((String) value);
    } else if (value instanceof Map<?, ?>) {
      built = dict((Map<?, ?>) value);
    } else if (value instanceof List<?>) {
      built = list((List<?>) value);
    } else if (ArrayBuilder.isArray(value)) {
      built = ArrayBuilder.build(value, null);
    } else if (value instanceof Object[]) {
      built = list(Arrays.asList((Object[]) value));
    } else if (value instanceof ObjectId || value instanceof VineyardObject || value instanceof Tensor || value instanceof Blob) {
      throw new IllegalArgumentException(value + " is in the store already; a list, tuple or map links to it");
    } else {
      throw VineyardException.of(Status.TYPE, nameOf(value) + " has no form that other languages read; put an ObjectMeta");
    }
    place.leave();
    known.put(value, built);
    return built;
  }

  // For people, to whom Java's own classes of lists say nothing.
  private static String nameOf(Object value) {
    return value instanceof Tuple ? "a tuple" : value instanceof List ? "a list" : value instanceof Map ? "a map"
        : "a " + value.getClass().getTypeName();
  }

  private static ObjectMeta text(String value) {
    byte[] bytes = Utf8.bytes("text", value);
    ObjectMeta meta = new ObjectMeta("vineyard::String");
    return bytes.length <= Scalars.MAX_TEXT ? meta.set("value_", value) : meta.add("buffer_", bytes, BlobKind.BUFFER);
  }

  // ---- containers

  private ObjectMeta list(List<?> value) {
    if (value instanceof Tuple && value.size() == 2) {
      ObjectMeta pair = new ObjectMeta("vineyard::Pair");
      place.at(0);
      add(pair, "first_", value.get(0));
      place.at(1);
      add(pair, "second_", value.get(1));
      return pair;
    }
    ObjectMeta meta = new ObjectMeta(value instanceof Tuple ? "vineyard::Tuple" : "vineyard::List");
    List<Object> elements = new ArrayList<>();
    int size = value.size();
    for (Object element : value) {
      elements.add(element);
    }
    Values.checkSize(size, elements.size());
    meta.set("__elements_-size", size);
    addAll(meta, "__elements_-", elements, i -> place.at(i));
    return meta;
  }

  private ObjectMeta dict(Map<?, ?> value) {
    List<Object> keys = new ArrayList<>();
    List<Object> values = new ArrayList<>();
    Set<Object> stored = new HashSet<>();
    int size = value.size();
    for (Map.Entry<?, ?> pair : value.entrySet()) {
      if (!stored.add(asStored(pair.getKey()))) {
        place.atKey(keys.size());
        throw new IllegalArgumentException("the store has one form for this key and another one of this map: " + pair.getKey());
      }
      keys.add(pair.getKey());
      values.add(pair.getValue());
    }
    Values.checkSize(size, keys.size());
    ObjectMeta meta = new ObjectMeta("vineyard::Dict").set("__values_-size", keys.size());
    addAll(meta, "__values_-key-", keys, i -> place.atKey(i));
    addAll(meta, "__values_-value-", values, i -> place.atValue(i, keys.get(i)));
    return meta;
  }

  // What two keys must have in common to be one in the store: there, whole numbers of any class are. Of lists in lists
  // only the reader finds out: to go through them may have no end.
  private static Object asStored(Object key) {
    if (key instanceof Byte || key instanceof Short || key instanceof Integer) {
      return ((Number) key).longValue();
    }
    if (key instanceof BigInteger number && number.bitLength() < Long.SIZE) {
      return number.longValue();
    }
    if (key instanceof List<?> list) {
      boolean flat = list.stream().noneMatch(each -> each instanceof List || each instanceof Map);
      return flat ? list.stream().map(ValueBuilder::asStored).toList() : new Object();
    }
    return key instanceof Map ? new Object() : key;
  }

  // Bare leaves first, as everybody writes them.
  private void addAll(ObjectMeta meta, String prefix, List<Object> values, IntConsumer goTo) {
    BitSet bare = new BitSet(values.size());
    for (int i = 0; i < values.size(); ++i) {
      goTo.accept(i);
      if (Scalars.isBare(values.get(i))) {
        bare.set(i);
        meta.set(prefix + i, values.get(i));
      }
    }
    for (int i = bare.nextClearBit(0); i < values.size(); i = bare.nextClearBit(i + 1)) {
      goTo.accept(i);
      add(meta, prefix + i, values.get(i));
    }
  }

  private void add(ObjectMeta meta, String name, Object value) {
    if (Scalars.isBare(value)) {
      meta.set(name, value);
      return;
    }
    Map<String, Object> scalar = Scalars.fields(value);
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
      meta.add(name, buildOne(value));
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
}
