package io.vineyard;

import java.nio.LongBuffer;
import java.util.stream.LongStream;

/**
 * A view of {@code int64} elements in shared memory. Order, ownership and errors are those of
 * {@link TypedArray}.
 */
public final class Int64Array extends TypedArray {
  Int64Array(Elements memory) {
    super(ElementType.INT64, memory);
  }

  /**
   * The element at an index.
   *
   * @param i index, from 0 to {@code size() - 1}
   * @return the element
   * @throws IndexOutOfBoundsException for any other index
   */
  public long get(long i) {
    return memory.int64(checked(i) * Long.BYTES);
  }

  /**
   * Copies all elements.
   *
   * @return a new array
   * @throws UnsupportedOperationException for more elements than a Java array has; parts can be
   *     copied with {@link #toArray(long, int)}
   */
  public long[] toArray() {
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
  public long[] toArray(long from, int count) {
    long[] array = new long[arrayLength(from, count)];
    copy(
        from,
        count,
        (part, at) -> part.asLongBuffer().get(array, at, part.remaining() / Long.BYTES));
    return array;
  }

  /**
   * Shows all elements.
   *
   * @return a new read-only buffer over the same memory
   * @throws UnsupportedOperationException when the elements have more than {@link
   *     Integer#MAX_VALUE} bytes; parts can be had with {@link #asBuffer(long, int)}
   */
  public LongBuffer asBuffer() {
    return bytes(0, size()).asLongBuffer();
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
  public LongBuffer asBuffer(long from, int count) {
    return bytes(from, count).asLongBuffer();
  }

  /**
   * The elements in order.
   *
   * @return a new stream that reads the memory as it goes
   */
  public LongStream stream() {
    return indices().map(this::get);
  }
}
