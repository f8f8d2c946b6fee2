package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Containers from the store, whoever made them: small there may be 2^40 elements here. */
class NestTest extends WithClient {
  // Each is in the next one twice. The store has one object for each.
  private static Object doubled(int depth, Object bottom, boolean maps) {
    Object made = List.of(bottom);
    for (int i = 0; i < depth; ++i) {
      made = maps ? Map.of("a", made, "b", made) : i % 2 == 0 ? Arrays.asList(made, made) : Tuple.of(made, made, i);
    }
    return made;
  }

  @Test
  void aDoubledStructureIsHashedComparedAndPrintedAtOnce() {
    for (boolean maps : new boolean[] {false, true}) {
      ObjectId id = client.putValue(doubled(50, "bottom", maps));
      Object one = client.getValue(id);
      Object two = client.getValue(id);
      assertEquals(one.hashCode(), two.hashCode());
      assertTrue(one.equals(two));
      assertTrue(new HashSet<>(List.of(one)).contains(two));
      assertFalse(one.equals(client.getValue(client.putValue(doubled(50, "other", maps)))));
      assertFalse(one.equals(client.getValue(client.putValue(doubled(49, "bottom", maps)))));
      assertTrue(one.toString().endsWith("..."), () -> one.toString().substring(0, 100));
      assertTrue(one.toString().length() < 200_000);
      assertEquals(one, client.getValue(client.putValue(one)));
    }
  }

  @Test
  void aKeyThatIsTooMuchToCompareIsRefused() {
    Tuple large = Tuple.of(new Object[1001]);
    for (Object key : List.of(doubled(40, "bottom", false), doubled(40, "bottom", true), large, Tuple.of("x".repeat(70_000)))) {
      ObjectId id = client.put(new ObjectMeta("vineyard::Dict").set("__values_-size", 1).add("__values_-key-0", client.putValue(key))
          .set("__values_-value-0", 1));
      var error = assertThrows(VineyardException.LimitExceeded.class, () -> client.getValue(id));
      assertTrue(error.getMessage().contains(id + ": a vineyard::Dict with a key that Java can not have: a container of more than 1000"),
          error.getMessage());
    }
    ObjectId buffer = client.putValue(Map.of(Tuple.of(ByteBuffer.allocate(1), 2), 3));
    var error = assertThrows(VineyardException.LimitExceeded.class, () -> client.getValue(buffer));
    assertTrue(error.getMessage().contains("a raw buffer"), error.getMessage());
    for (Object key : List.of(Tuple.of(new Object[999]), "x".repeat(1 << 20), Tuple.of("x".repeat(60_000)))) {
      assertEquals(Map.of(key, 1L), client.getValue(client.putValue(Map.of(key, 1))));
    }
  }

  @Test
  void whatIsTooMuchForAKeyIsLookedUpAtOnce() {
    for (boolean maps : new boolean[] {false, true}) {
      Object made = doubled(50, "bottom", maps);
      Object stored = client.getValue(client.putValue(made));
      Map<?, ?> map = (Map<?, ?>) client.getValue(client.putValue(Map.of(Tuple.of(1L, "two"), 3)));
      for (Object key : List.of(made, stored, Tuple.of(stored), ByteBuffer.allocate(8))) {
        assertNull(map.get(key));
        assertFalse(map.containsKey(key));
        assertFalse(map.entrySet().contains(Map.entry(key, 3L)));
      }
    }
  }

  // 2^16 tuples of one hash code: a HashMap would compare each with each, which takes hours.
  @Test
  void keysWhoseHashCodesAreTheSameAreAsFastAsOthers() {
    List<Object> keys = new ArrayList<>();
    for (int i = 0; i < 1 << 16; ++i) {
      Object[] parts = new Object[16];
      for (int k = 0; k < parts.length; ++k) {
        parts[k] = (i >> k & 1) == 0 ? "Aa" : "BB";
      }
      keys.add(Tuple.of(parts));
    }
    assertEquals(keys.get(0).hashCode(), keys.get(65_535).hashCode());
    ObjectMeta dict = new ObjectMeta("vineyard::Dict").set("__values_-size", keys.size());
    for (int i = 0; i < keys.size(); ++i) {
      dict.set("__values_-value-" + i, i);
    }
    for (int i = 0; i < keys.size(); ++i) {
      dict.add("__values_-key-" + i, ValueBuilder.build(keys.get(i)));
    }
    Map<?, ?> value = (Map<?, ?>) client.getValue(client.put(dict));
    for (int i = 0; i < keys.size(); ++i) {
      assertEquals((long) i, value.get(keys.get(i)));
    }
  }

  @Test
  void aMapFromTheStoreIsAMap() {
    Map<Object, Object> given = new LinkedHashMap<>();
    given.put("text", 1L);
    given.put(null, null);
    given.put(Tuple.of(1L, "two", null, true, 2.5f), List.of());
    given.put(new Complex(1, 2), 2.0);
    given.put(Map.of("in", 1L, "a", List.of(2L)), false);
    given.put(Tuple.of(new java.math.BigInteger("-1267650600228229401496703205376")), Tuple.of());
    Map<?, ?> value = (Map<?, ?>) client.getValue(client.putValue(given));
    assertEquals(given, value);
    assertEquals(value, given);
    assertEquals(given.hashCode(), value.hashCode());
    assertEquals(given.toString(), value.toString());
    assertEquals(new ArrayList<>(given.entrySet()), new ArrayList<>(value.entrySet()));
    assertEquals(new ArrayList<>(given.keySet()), new ArrayList<>(value.keySet()));
    for (Object key : given.keySet()) {
      assertTrue(value.containsKey(key));
      assertEquals(given.get(key), value.get(key));
      assertTrue(value.entrySet().contains(new HashMap<>(given).entrySet().stream().filter(each -> java.util.Objects.equals(each.getKey(), key))
          .findFirst().orElseThrow()));
    }
    assertEquals(2.0, value.get(new Complex(1, 2)));
    assertEquals(List.of(), value.get(Arrays.asList(1L, "two", null, true, 2.5f)));
    assertNull(value.get(Arrays.asList(1L, "two")));
    assertFalse(value.containsKey("no"));
    assertFalse(value.entrySet().contains(Map.entry("text", 2L)));
    Map<Object, Object> less = new HashMap<>(given);
    less.remove(null);
    less.put("other", null);
    assertNotEquals(value, less);
    @SuppressWarnings("unchecked") Map<Object, Object> changed = (Map<Object, Object>) value;
    assertThrows(UnsupportedOperationException.class, () -> changed.put("a", 1));
    assertThrows(UnsupportedOperationException.class, () -> changed.remove("text"));
    assertThrows(UnsupportedOperationException.class, changed::clear);
    assertThrows(UnsupportedOperationException.class, () -> changed.entrySet().iterator().next().setValue(1));
  }

  @Test
  void aListFromTheStoreIsAList() {
    List<Object> given = Arrays.asList(1L, null, "text", Arrays.asList(2.5, List.of()), Tuple.of(true, "x", 3L));
    List<?> value = (List<?>) client.getValue(client.putValue(given));
    assertEquals(given, value);
    assertEquals(value, given);
    assertEquals(given.hashCode(), value.hashCode());
    assertEquals(given.toString(), value.toString());
    assertEquals(given.subList(1, 4), value.subList(1, 4));
    assertEquals(2, value.indexOf("text"));
    assertNotEquals(value, given.subList(0, 4));
    assertNotEquals(value, Map.of());
    @SuppressWarnings("unchecked") List<Object> changed = (List<Object>) value;
    assertThrows(UnsupportedOperationException.class, () -> changed.set(0, 1));
    assertThrows(UnsupportedOperationException.class, () -> changed.add(1));
    assertThrows(UnsupportedOperationException.class, () -> changed.remove(0));
  }
}
