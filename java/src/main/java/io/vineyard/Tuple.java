package io.vineyard;

import java.util.AbstractList;
import java.util.List;
import java.util.Objects;
import java.util.RandomAccess;

/**
 * A list that is a tuple elsewhere: {@link Client#putValue} stores it as {@code vineyard::Tuple}, or as
 * {@code vineyard::Pair} when it has two elements, and {@link Client#getValue} gives one for those. Can not be
 * changed; equal to any list of equal elements.
 */
public final class Tuple extends AbstractList<Object> implements RandomAccess {
  private final Object[] elements;

  private Tuple(Object[] elements) {
    this.elements = elements;
  }

  /**
   * A tuple of these.
   *
   * @param elements may be null each
   * @return a tuple
   */
  public static Tuple of(Object... elements) {
    return new Tuple(Objects.requireNonNull(elements, "elements").clone());
  }

  /**
   * A tuple of what a list has now.
   *
   * @param elements may be null each
   * @return a tuple
   */
  public static Tuple copyOf(List<?> elements) {
    return new Tuple(Objects.requireNonNull(elements, "elements").toArray());
  }

  @Override
  public Object get(int index) {
    return elements[index];
  }

  @Override
  public int size() {
    return elements.length;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof List && Nest.equal(this, other);
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
