package io.vineyard;

import java.nio.ShortBuffer;
import java.util.stream.IntStream;

/**
 * A view of {@code int16} elements in shared memory. Order, ownership and errors are those of
 * {@link TypedArray}.
 */
public final class Int16Array extends TypedArray {
  Int16Array(Elements memory) {
    super(ElementType.INT16, memory);
  }

  /**
   * The element at an index.
   *
   * @param i index, from 0 to {@code size() - 1}
   * @return the element
   * @throws IndexOutOfBoundsException for any other index
   */
  public short get(long i) {
    return memory.int16(checked(i) * Short.BYTES);
  }

  /**
   * Copies all elements.
   *
   * @return a new array
   * @throws UnsupportedOperationException for more elements than a Java array has; parts can be
   *     copied with {@link #toArray(long, int)}
   */
  public short[] toArray() {
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
  public short[] toArray(long from, int count) {
    short[] array = new short[arrayLength(from, count)];
    copy(
        from,
        count,
        (part, at) -> part.asShortBuffer().get(array, at, part.remaining() / Short.BYTES));
    return array;
  }

  /**
   * Shows all elements.
   *
   * @return a new read-only buffer over the same memory
   * @throws UnsupportedOperationException when the elements have more than {@link
   *     Integer#MAX_VALUE} bytes; parts can be had with {@link #asBuffer(long, int)}
   */
  public ShortBuffer asBuffer() {
    return bytes(0, size()).asShortBuffer();
  }

  /**
   * Shows some elements.
   *
   * @param from index of the first
   * @param count how many
   * @return a new read-only buffer over the same memory
   * @throws IndexOutOfBoundsException when one of them is not in the array
   * @throws UnsupportedOperationException when they have more than {@link Integer#MAX_VALUE} bytes
   */
  public ShortBuffer asBuffer(long from, int count) {
    return bytes(from, count).asShortBuffer();
  }

  /**
   * The elements in order.
   *
   * @return a new stream that reads the memory as it goes
   */
  public IntStream stream() {
    return indices().mapToInt(this::get);
  }
}
