package io.vineyard;

import java.util.AbstractList;
import java.util.List;
import java.util.RandomAccess;

/** A list from the store: can not be changed. */
final class StoredList extends AbstractList<Object> implements RandomAccess {
  private final Object[] elements;

  StoredList(List<?> elements) {
    this.elements = elements.toArray();
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
