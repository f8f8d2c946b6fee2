package io.vineyard;

import java.nio.ByteBuffer;

/**
 * A view of {@code bool} elements in shared memory, one byte each: 0 is false, anything else is
 * true. Order, ownership and errors are those of {@link TypedArray}.
 */
public final class BoolArray extends TypedArray {
  BoolArray(Elements memory) {
    super(ElementType.BOOL, memory);
  }

  /**
   * The element at an index.
   *
   * @param i index, from 0 to {@code size() - 1}
   * @return the element
   * @throws IndexOutOfBoundsException for any other index
   */
  public boolean get(long i) {
    return memory.int8(checked(i)) != 0;
  }

  /**
   * Copies all elements.
   *
   * @return a new array
   * @throws UnsupportedOperationException for more elements than a Java array has; parts can be
   *     copied with {@link #toArray(long, int)}
   */
  public boolean[] toArray() {
    return toArray(0, count());
  }

  /**
   * Copies some elements.
   *
   * @param from index of the first
   * @param count how many
   * @return a new array
   * @throws IndexOutOfBoundsException when one of them is not in the array
   */
  public boolean[] toArray(long from, int count) {
    boolean[] array = new boolean[arrayLength(from, count)];
    copy(
        from,
        count,
        (part, at) -> {
          for (int k = 0; k < part.limit(); k++) {
            array[at + k] = part.get(k) != 0;
          }
        });
    return array;
  }

  /**
   * Shows all elements.
   *
   * @return a new read-only buffer over the same memory
   * @throws UnsupportedOperationException when the elements have more than {@link
   *     Integer#MAX_VALUE} bytes; parts can be had with {@link #asBuffer(long, int)}
   */
  public ByteBuffer asBuffer() {
    return bytes(0, size());
  }

  /**
   * Shows some elements.
   *
   * @param from index of the first
   * @param count how many
   * @return a new read-only buffer over the same memory
   * @throws IndexOutOfBoundsException when one of them is not in the array
   */
  public ByteBuffer asBuffer(long from, int count) {
    return bytes(from, count);
  }
}
