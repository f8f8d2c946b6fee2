package io.vineyard;

import java.util.AbstractMap;
import java.util.AbstractSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A map from the store, in its order: can not be changed. Its lookups are fast whatever keys somebody has stored. */
final class StoredMap extends AbstractMap<Object, Object> {
  // Keys that Java does not order by themselves, so that a HashMap of them can be made slow, are wrapped.
  private final Map<Object, Object> map = new LinkedHashMap<>();

  private record Key(Object value, int hash) {
    @Override
    public boolean equals(Object other) {
      return other instanceof Key key && hash == key.hash && value.equals(key.value);
    }

    @Override
    public int hashCode() {
      return hash;
    }
  }

  // What can be a key is small: its hash code takes no long, however often a list is in it twice.
  private static Object wrap(Object key) {
    return key instanceof List || key instanceof Map || key instanceof Complex ? new Key(key, KeyHash.of(key)) : key;
  }

  private static Object unwrap(Object key) {
    return key instanceof Key wrapped ? wrapped.value : key;
  }

  /** While it is made; false: there is a key that is equal. */
  boolean add(Object key, Object value) {
    int before = map.size();
    map.putIfAbsent(wrap(key), value);
    return map.size() > before;
  }

  @Override
  public Object get(Object key) {
    return Nest.noKey(key) == null ? map.get(wrap(key)) : null;
  }

  @Override
  public boolean containsKey(Object key) {
    return Nest.noKey(key) == null && map.containsKey(wrap(key));
  }

  @Override
  public Set<Map.Entry<Object, Object>> entrySet() {
    return new AbstractSet<>() {
      @Override
      public int size() {
        return map.size();
      }

      @Override
      public Iterator<Map.Entry<Object, Object>> iterator() {
        Iterator<Map.Entry<Object, Object>> pairs = map.entrySet().iterator();
        return new Iterator<>() {
          @Override
          public boolean hasNext() {
            return pairs.hasNext();
          }

          @Override
          public Map.Entry<Object, Object> next() {
            Map.Entry<Object, Object> pair = pairs.next();
            return new SimpleImmutableEntry<>(unwrap(pair.getKey()), pair.getValue());
          }
        };
      }

      @Override
      public boolean contains(Object object) {
        return object instanceof Map.Entry<?, ?> pair && containsKey(pair.getKey())
            && new SimpleImmutableEntry<>(pair.getKey(), get(pair.getKey())).equals(pair);
      }
    };
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Map && Nest.equal(this, other);
  }

  @Override
  public int hashCode() {
    return Nest.hash(this);
  }

  @Override
  public String toString() {
    return Nest.text(this);
  }
}
