package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigInteger;
import java.util.AbstractList;
import java.util.AbstractMap;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.ConcurrentModificationException;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Collections that are not what they say, or that the store can not tell apart: found by who tried to break it. */
class OddCollectionsTest extends WithClient {
  private static List<Object> list(int said, int given) {
    return new AbstractList<>() {
      @Override
      public Object get(int i) {
        return (long) i;
      }

      @Override
      public int size() {
        return said;
      }

      @Override
      public Iterator<Object> iterator() {
        return Collections.<Object>nCopies(given, 0L).iterator();
      }
    };
  }

  private static Map<String, Object> map(int said) {
    return new AbstractMap<>() {
      @Override
      public Set<Entry<String, Object>> entrySet() {
        return Map.<String, Object>of("a", 1L).entrySet();
      }

      @Override
      public int size() {
        return said;
      }
    };
  }

  @Test
  void whatGivesMoreOrLessThanItSaysIsNotStored() {
    long objects = client.statistics().requests();
    for (Object odd : List.of(list(10, 3), list(1, 30), list(0, 1), list(1, 0), map(3), map(0))) {
      assertThrows(ConcurrentModificationException.class, () -> client.putValue(odd));
      assertThrows(ConcurrentModificationException.class, () -> new ObjectMeta("x::Y").set("l", odd));
    }
    // One inside the other, so that the sum is right.
    List<Object> inner = list(0, 1);
    List<Object> outer = new AbstractList<>() {
      @Override
      public Object get(int i) {
        return inner;
      }

      @Override
      public int size() {
        return 2;
      }

      @Override
      public Iterator<Object> iterator() {
        return List.<Object>of(inner).iterator();
      }
    };
    assertThrows(ConcurrentModificationException.class, () -> new ObjectMeta("x::Y").set("l", outer));
    assertEquals(objects, client.statistics().requests(), "nothing was asked of the store");
  }

  @Test
  void keysThatTheStoreCanNotTellApartAreRefused() {
    Object[][] twins = {{1, 1L}, {(byte) 1, (short) 1}, {1L, BigInteger.ONE}, {Tuple.of(1, "a"), Tuple.of(1L, "a")}};
    for (Object[] pair : twins) {
      Map<Object, Object> map = new LinkedHashMap<>();
      map.put(pair[0], "a");
      map.put(pair[1], "b");
      var error = assertThrows(IllegalArgumentException.class, () -> client.putValue(List.of(map)));
      assertTrue(error.getMessage().contains("$[0][key 1]"), error.getMessage());
    }
    Map<Object, Object> apart = new LinkedHashMap<>();
    apart.put(1L, "int");
    apart.put("1", "text");
    apart.put(BigInteger.ONE.shiftLeft(70), "large");
    assertEquals(3, ((Map<?, ?>) client.getValue(client.putValue(apart))).size());
  }

  // Regression: minutes at a depth of 24.
  @Test
  void aStoredValueIsComparedWithOneOfJavaInOneLookAtEach() {
    List<Object> one = new ArrayList<>(List.of(1L));
    List<Object> other = new ArrayList<>(List.of(2L));
    for (int i = 0; i < 60; ++i) {
      one = Arrays.asList(one, one);
      other = Arrays.asList(other, other);
    }
    Object stored = client.getValue(client.putValue(one));
    assertTrue(stored.equals(one));
    assertFalse(stored.equals(other));
  }
}
