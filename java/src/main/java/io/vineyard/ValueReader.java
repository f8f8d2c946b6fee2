package io.vineyard;

import io.vineyard.internal.Place;
import io.vineyard.internal.Values;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongConsumer;
import java.util.function.Supplier;

/**
 * Java's value of an object, as {@code docs/types.md} says: one get, which reads a tree and opens nothing that stays open
 * but the payloads it gives. What is not as it says there is refused; the error names object, place and what is wrong.
 */
final class ValueReader {
  private static final String ELEMENT = "__elements_-";
  private static final String KEY = "__values_-key-";
  private static final String VALUE = "__values_-value-";

  private static final String[] PAIR = {"first_", "second_"};

  private static final int MAX_DEPTH = 256;  // for which the stack of whoever goes through the value is enough
  private static final Object BEGUN = new Object();  // instead of a value: it is that of the level on top

  private final RemotePolicy remote;
  private final LongConsumer copied;
  private final Map<ObjectId, Object> known = new HashMap<>();
  private final Set<ObjectId> incomplete = new HashSet<>();  // of the known: a payload in it is on another instance
  private final Place place = new Place();
  private int keys;  // that are being read, one in the other
  private boolean lacks;  // the object that is being read, or what is below it, a payload
  private final List<Blob> opened = new ArrayList<>();  // that the value reads in place
  private final List<Level> levels = new ArrayList<>();  // one in the other

  /** A container some of whose parts were read. A list of them, and no recursion: that takes what stack compiled code likes. */
  private static final class Level {
    final VineyardObject object;
    final int parts;  // of a map two for each pair: key and value
    final List<Object> elements;  // null: of a map
    final StoredMap map;          // null: of none
    final Set<String> bytes = new HashSet<>();  // keys: arrays are equal to themselves only
    boolean lacked;  // what is around it, a payload
    int next;
    Object key;

    Level(VineyardObject object, int parts, boolean map) {
      this.object = object;
      this.parts = parts;
      this.elements = map ? null : new ArrayList<>(parts);
      this.map = map ? new StoredMap() : null;
    }
  }

  /** `copied` is told how many bytes of payload were copied. */
  ValueReader(RemotePolicy remote, LongConsumer copied) {
    this.remote = remote;
    this.copied = copied;
  }

  /** Of an object that the caller closes. Closed: what the value reads in place. */
  OpenValue open(VineyardObject object) {
    try {
      return new OpenValue(read(object), opened);
    } catch (Throwable error) {
      // The first is that of the caller.
      Ends.each(levels.subList(Math.min(1, levels.size()), levels.size()), level -> level.object.close(), error);
      Ends.each(opened, Blob::close, error);
      throw error;
    }
  }

  private Blob keep(Blob blob) {
    opened.add(blob);
    return blob;
  }

  private Object read(VineyardObject object) {
    Object value = begin(object);
    while (!levels.isEmpty()) {
      Level level = levels.get(levels.size() - 1);
      if (value != BEGUN) {
        add(level, value);
      }
      value = level.next < level.parts ? part(level) : end(level);
    }
    return value;
  }

  // The value, or a level for it.
  private Object begin(VineyardObject object) {
    if (known.containsKey(object.id())) {
      if (incomplete.contains(object.id())) {
        if (keys > 0) {
          throw error(Status.REMOTE, object, "in a key, and payload of it is on another instance");
        }
        lacks = true;
      }
      return known.get(object.id());
    }
    // A put has 64 levels at most, but what it links to may have as many below.
    if (place.depth() == MAX_DEPTH) {
      throw error(Status.LIMIT, object, "more than " + MAX_DEPTH + " levels of objects; read its members with Client.get");
    }
    boolean lacked = lacks;
    lacks = false;
    place.enter();
    Object value = readByType(object);
    if (value == BEGUN) {
      levels.get(levels.size() - 1).lacked = lacked;
      return value;
    }
    return end(object, value, lacked);
  }

  private Object end(VineyardObject object, Object value, boolean lacked) {
    place.leave();
    known.put(object.id(), value);
    if (lacks) {
      incomplete.add(object.id());
    }
    lacks |= lacked;
    return value;
  }

  private Object end(Level level) {
    levels.remove(levels.size() - 1);
    Object value = level.elements == null ? level.map
        : level.object.typeName().startsWith("vineyard::List") ? new StoredList(level.elements) : Tuple.copyOf(level.elements);
    if (!levels.isEmpty()) {
      level.object.close();
    }
    return end(level.object, value, level.lacked);
  }

  private VineyardException error(Status status, VineyardObject object, String text) {
    return VineyardException.of(status, place.say("object " + object.id() + ": " + text));
  }

  private Object readByType(VineyardObject object) {
    String type = object.typeName();
    int parameters = type.indexOf('<');
    switch (parameters < 0 ? type : type.substring(0, parameters)) {
      case "vineyard::Blob":
        return payload(() -> ofBlob(object.blob()));
      case "vineyard::Scalar":
        return scalar(object, object.fields());
      case "vineyard::String":
        return text(object);
      case "vineyard::Pair":
        return begin(new Level(object, PAIR.length, false));
      case "vineyard::Tuple":
      case "vineyard::Sequence":
      case "vineyard::List":
        return begin(new Level(object, size(object, "__elements_-size"), false));
      case "vineyard::Dict":
        return begin(new Level(object, 2 * size(object, "__values_-size"), true));
      case "vineyard::Array":
      case "vineyard::Tensor":
        Object order = object.fields().getOrDefault("order_", "C");
        if (!"C".equals(order) && !"F".equals(order)) {
          throw error(Status.CORRUPT, object, "a " + type + " whose order_ is neither C nor F");
        }
        return payload(() -> {
          Tensor array = object.tensor();
          keep(array.blob());
          return array;
        });
      case "vineyard::PickleBuffer":
        throw error(Status.TYPE, object, "a vineyard::PickleBuffer, a pickle" + (object.fields().get("nbytes") instanceof Long size
            ? " of " + size + " bytes" : "") + ", which only Python can read");
      default:
        throw error(Status.TYPE, object, "a " + type + ", of which Java has no value; read its fields and members with Client.get");
    }
  }

  // ---- payload

  // Bytes of Python are a copy, other payload is read in place.
  private Object ofBlob(Blob blob) {
    if (blob.kind() == BlobKind.BUFFER) {
      return keep(blob).size() <= Integer.MAX_VALUE ? (Object) blob.buffer() : blob;
    }
    if (blob.size() > Integer.MAX_VALUE) {
      return keep(blob);
    }
    try (blob) {
      byte[] bytes = blob.toByteArray();
      copied.accept(bytes.length);
      return bytes;
    }
  }

  private Object text(VineyardObject object) {
    if (object.members().containsKey("buffer_")) {
      return payload(() -> longText(object));
    }
    Object text = object.fields().get("value_");
    if (!(text instanceof String)) {
      boolean none = !object.fields().containsKey("value_");
      throw error(Status.CORRUPT, object, "a vineyard::String "
          + (none ? "with neither value_ nor buffer_" : "whose value_ is " + Values.kindOf(text)));
    }
    return text;
  }

  private String longText(VineyardObject object) {
    try (Blob blob = object.memberBlob("buffer_")) {
      if (blob.size() > Integer.MAX_VALUE) {
        throw error(Status.LIMIT, object, "text of " + blob.size()
            + " bytes, more than a String can have; read its member buffer_ by slices");
      }
      String text = blob.read(ValueReader::decode);
      if (text == null) {
        throw error(Status.CORRUPT, object, "a vineyard::String whose bytes are no UTF-8");
      }
      copied.accept(blob.size());
      return text;
    }
  }

  private static String decode(ByteBuffer text) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(text).toString();
    } catch (CharacterCodingException error) {
      return null;
    }
  }

  // What lies on another instance is what the policy says. What is lost is an error anyway.
  private Object payload(Supplier<Object> read) {
    try {
      return read.get();
    } catch (VineyardException error) {
      if (error.status() == Status.REMOTE && remote == RemotePolicy.NONE && keys == 0) {
        lacks = true;
        return null;
      }
      if (error.status() == Status.REMOTE && remote == RemotePolicy.FETCH) {
        throw VineyardException.of(Status.UNAVAILABLE,
            place.say(error.getMessage() + "; payloads can not be fetched from there yet"));
      }
      String root = new Place().toString();
      boolean said = place.toString().equals(root) || error.getMessage().startsWith(root);
      throw said ? error : VineyardException.of(error.status(), place.say(error.getMessage()));
    }
  }

  // ---- containers

  private int size(VineyardObject object, String field) {
    Object size = object.fields().get(field);
    // Each element is a field or a member: more than there are is a broken record, and no reason to take memory.
    long most = (long) object.fields().size() + object.members().size();
    if (!(size instanceof Long number) || number < 0 || number > most) {
      throw error(Status.CORRUPT, object, "a " + object.typeName()
          + (!object.fields().containsKey(field) ? " without " + field
              : " whose " + field + " is " + (size instanceof Number && !(size instanceof Double) ? size : Values.kindOf(size))));
    }
    return number.intValue();
  }

  private Object begin(Level level) {
    levels.add(level);
    return BEGUN;
  }

  private Object part(Level level) {
    int index = level.next;
    VineyardObject object = level.object;
    if (level.elements != null) {
      place.at(index);
      return element(object, object.typeName().startsWith("vineyard::Pair") ? PAIR[index] : ELEMENT + index);
    }
    int pair = index / 2;
    if (index % 2 == 0) {
      place.atKey(pair);
      ++keys;
      return element(object, KEY + pair);
    }
    place.atValue(pair, level.key);
    return element(object, VALUE + pair);
  }

  // The value of its next part.
  private void add(Level level, Object value) {
    int index = level.next++;
    if (level.elements != null) {
      level.elements.add(value);
    } else if (index % 2 == 0) {
      --keys;
      String refused = Nest.noKey(value);
      if (refused != null) {
        throw error(Status.LIMIT, level.object, "a vineyard::Dict with a key that Java can not have: " + refused
            + "; read its members with Client.get");
      }
      level.key = value;
    } else {
      boolean twice = level.key instanceof byte[] array && !level.bytes.add(new String(array, StandardCharsets.ISO_8859_1));
      if (!level.map.add(level.key, value) || twice) {
        place.atKey(index / 2);
        throw error(Status.CORRUPT, level.object, "a vineyard::Dict with a key that is there twice");
      }
    }
  }

  // A leaf is a field: the bare value or the three fields of a scalar.
  @SuppressWarnings("unchecked")
  private Object element(VineyardObject object, String name) {
    Object field = object.fields().get(name);
    if (field instanceof Map) {
      return scalar(object, (Map<String, Object>) field);
    }
    if (field instanceof List || field instanceof byte[]) {
      throw error(Status.CORRUPT, object, "its field " + name + " is " + Values.kindOf(field) + ", which is no leaf");
    }
    if (field != null || object.fields().containsKey(name)) {
      return field;
    }
    if (!object.members().containsKey(name)) {
      throw error(Status.CORRUPT, object, "a " + object.typeName() + " without " + name);
    }
    VineyardObject member = object.member(name);
    boolean begun = false;
    try {
      Object value = begin(member);
      begun = value == BEGUN;  // it is open as long as the level
      return value;
    } finally {
      if (!begun) {
        member.close();
      }
    }
  }

  private Object scalar(VineyardObject object, Map<String, Object> fields) {
    try {
      return Scalars.value(fields);
    } catch (Scalars.Wrong wrong) {
      throw error(wrong.status, object, wrong.getMessage());
    }
  }
}
