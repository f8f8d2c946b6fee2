package io.vineyard;

import java.math.BigInteger;
import java.security.SecureRandom;
import java.util.List;
import java.util.Map;

/**
 * Hash codes of keys that nobody can make collide on purpose: a polynomial modulo 2^61 - 1 at a place that only this process
 * knows. Equal lists, maps and numbers have equal ones, as with hashCode, of which everybody knows what collides.
 */
final class KeyHash {
  private static final long PRIME = (1L << 61) - 1;
  private static final long SECRET = new SecureRandom().nextLong() & PRIME - 1 | 1 << 20;

  private long hash = 1;

  private KeyHash() {}

  /** Of a container, or of numbers that are one value. */
  static int of(Object key) {
    long hash = wide(key);
    return (int) (hash ^ hash >>> 32);
  }

  private static long wide(Object value) {
    KeyHash made = new KeyHash();
    made.add(value);
    return made.hash;
  }

  private void add(Object value) {
    if (value instanceof List<?> list) {
      add(1, list.size());
      list.forEach(this::add);
    } else if (value instanceof Map<?, ?> map) {
      long sum = 0;  // in any order
      for (Map.Entry<?, ?> pair : map.entrySet()) {
        KeyHash each = new KeyHash();
        each.add(pair.getKey());
        each.add(pair.getValue());
        sum = (sum + each.hash) % PRIME;
      }
      add(2, sum);
    } else if (value instanceof String text) {
      add(3, text.length());
      for (int i = 0; i < text.length(); ++i) {
        step(text.charAt(i));
      }
    } else if (value instanceof Complex complex) {
      add(4, Double.doubleToLongBits(complex.real()));
      add(4, Double.doubleToLongBits(complex.imaginary()));
    } else if (value instanceof Long number) {
      add(5, number);
    } else if (value instanceof Double number) {
      add(6, Double.doubleToLongBits(number));
    } else if (value instanceof BigInteger number) {
      byte[] bytes = number.toByteArray();
      add(7, bytes.length);
      for (byte each : bytes) {
        step(each & 0xff);
      }
    } else {
      add(8, value == null ? 0 : value.hashCode());
    }
  }

  private void add(int kind, long bits) {
    step(kind);
    step(bits >>> 32);
    step(bits & 0xffff_ffffL);
  }

  private void step(long small) {
    long low = hash * SECRET, high = Math.multiplyHigh(hash, SECRET);
    long sum = (low & PRIME) + (low >>> 61 | high << 3) + small + 1;
    hash = (sum & PRIME) + (sum >>> 61);
  }
}
