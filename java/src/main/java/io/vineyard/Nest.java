package io.vineyard;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * hashCode, equals and toString of containers from the store. There a list that is an element twice is one object, so forty
 * lists, each twice in the next, are 2^40 elements for who goes through all: here each of them is gone through once, and text
 * ends where nobody reads on.
 */
final class Nest {
  private static final int LONGEST_TEXT = 100_000;
  private static final int LARGEST_KEY = 1000;  // values in it, or 64 characters or bits each

  private Nest() {}

  private static boolean isOurs(Object value) {
    return value instanceof Tuple || value instanceof StoredList || value instanceof StoredMap;
  }

  // ---- hash codes

  /** As List and Map say. */
  static int hash(Object container) {
    return hash(container, new IdentityHashMap<>());
  }

  private static int hash(Object value, Map<Object, Integer> known) {
    if (!isOurs(value)) {
      return Objects.hashCode(value);
    }
    Integer met = known.get(value);
    if (met != null) {
      return met;
    }
    int hash;
    if (value instanceof Map<?, ?> map) {
      hash = 0;
      for (Map.Entry<?, ?> pair : map.entrySet()) {
        hash += hash(pair.getKey(), known) ^ hash(pair.getValue(), known);
      }
    } else {
      hash = 1;
      for (Object element : (List<?>) value) {
        hash = 31 * hash + hash(element, known);
      }
    }
    known.put(value, hash);
    return hash;
  }

  // ---- equality

  /** As List and Map say. */
  static boolean equal(Object container, Object other) {
    return equal(container, other, new IdentityHashMap<>());
  }

  // `begun`: pairs that need no second look. If they are not equal, all is not.
  private static boolean equal(Object one, Object other, Map<Object, Set<Object>> begun) {
    if (one == other) {
      return true;
    }
    if (!isOurs(one)) {
      return one != null && one.equals(other);
    }
    boolean again = other instanceof List || other instanceof Map;
    if (again && !begun.computeIfAbsent(one, each -> Collections.newSetFromMap(new IdentityHashMap<>())).add(other)) {
      return true;
    }
    if (one instanceof Map<?, ?> map) {
      return other instanceof Map<?, ?> second && equal(map, second, begun);
    }
    return other instanceof List<?> second && equal((List<?>) one, second, begun);
  }

  private static boolean equal(List<?> one, List<?> other, Map<Object, Set<Object>> begun) {
    if (one.size() != other.size()) {
      return false;
    }
    Iterator<?> second = other.iterator();
    for (Object element : one) {
      if (!second.hasNext() || !equal(element, second.next(), begun)) {
        return false;
      }
    }
    return !second.hasNext();
  }

  private static boolean equal(Map<?, ?> one, Map<?, ?> other, Map<Object, Set<Object>> begun) {
    if (one.size() != other.size()) {
      return false;
    }
    for (Map.Entry<?, ?> pair : one.entrySet()) {
      Object second = other.get(pair.getKey());
      if (second == null && !other.containsKey(pair.getKey()) || !equal(pair.getValue(), second, begun)) {
        return false;
      }
    }
    return true;
  }

  // ---- text

  /** As collections have it, up to some length. */
  static String text(Object container) {
    StringBuilder text = new StringBuilder();
    append(text, container);
    if (text.length() > LONGEST_TEXT) {
      text.setLength(LONGEST_TEXT);
      text.append("...");
    }
    return text.toString();
  }

  private static void append(StringBuilder text, Object value) {
    if (!isOurs(value)) {
      text.append(value);
      return;
    }
    String between = "";
    text.append(value instanceof Map ? '{' : '[');
    for (Object each : value instanceof Map<?, ?> map ? map.entrySet() : (List<?>) value) {
      if (text.length() > LONGEST_TEXT) {
        return;
      }
      text.append(between);
      between = ", ";
      if (each instanceof Map.Entry<?, ?> pair && value instanceof Map) {
        append(text, pair.getKey());
        append(text.append('='), pair.getValue());
      } else {
        append(text, each);
      }
    }
    text.append(value instanceof Map ? '}' : ']');
  }

  // ---- keys

  /** What keeps a value from being a key of a map, which is compared again and again; null: nothing does. */
  static String noKey(Object value) {
    int left = value instanceof String ? 1 : left(value, LARGEST_KEY + 1);
    return left > 0 ? null : left == NO_VALUE ? "a raw buffer, whose bytes are too many to compare"
        : "a container of more than " + LARGEST_KEY + " values";
  }

  private static final int NO_VALUE = Integer.MIN_VALUE;

  private static int left(Object value, int before) {
    int left = before - 1;
    if (value instanceof ByteBuffer) {
      return NO_VALUE;
    }
    if (value instanceof String text) {
      return left - text.length() / 64;
    }
    if (value instanceof BigInteger number) {
      return left - number.bitLength() / 64;
    }
    if (value instanceof Map<?, ?> map) {
      for (Map.Entry<?, ?> pair : map.entrySet()) {
        left = left > 0 ? left(pair.getKey(), left) : left;
        left = left > 0 ? left(pair.getValue(), left) : left;
      }
    } else if (value instanceof List<?> list) {
      for (int i = 0; i < list.size() && left > 0; ++i) {
        left = left(list.get(i), left);
      }
    }
    return left;
  }
}
