package io.vineyard;

import java.nio.IntBuffer;
import java.util.stream.LongStream;

/**
 * A view of {@code uint32} elements in shared memory. Single elements are {@code long}, many at
 * once are {@code int}: {@link Integer#toUnsignedLong} makes the one of the other. Order, ownership
 * and errors are those of {@link TypedArray}.
 */
public final class Uint32Array extends TypedArray {
  Uint32Array(Elements memory) {
    super(ElementType.UINT32, memory);
  }

  /**
   * The element at an index.
   *
   * @param i index, from 0 to {@code size() - 1}
   * @return the element
   * @throws IndexOutOfBoundsException for any other index
   */
  public long get(long i) {
    return Integer.toUnsignedLong(memory.int32(checked(i) * Integer.BYTES));
  }

  /**
   * Copies all elements, bit for bit.
   *
   * @return a new array
   * @throws UnsupportedOperationException for more elements than a Java array has; parts can be
   *     copied with {@link #toArray(long, int)}
   */
  public int[] toArray() {
    return toArray(0, count());
  }

  /**
   * Copies some elements, bit for bit.
   *
   * @param from index of the first
   * @param count how many
   * @return a new array
   * @throws IndexOutOfBoundsException when one of them is not in the array
   */
  public int[] toArray(long from, int count) {
    int[] array = new int[arrayLength(from, count)];
    copy(
        from,
        count,
        (part, at) -> part.asIntBuffer().get(array, at, part.remaining() / Integer.BYTES));
    return array;
  }

  /**
   * Shows all elements, bit for bit.
   *
   * @return a new read-only buffer over the same memory
   * @throws UnsupportedOperationException when the elements have more than {@link
   *     Integer#MAX_VALUE} bytes; parts can be had with {@link #asBuffer(long, int)}
   */
  public IntBuffer asBuffer() {
    return bytes(0, size()).asIntBuffer();
  }

  /**
   * Shows some elements, bit for bit.
   *
   * @param from index of the first
   * @param count how many
   * @return a new read-only buffer over the same memory
   * @throws IndexOutOfBoundsException when one of them is not in the array
   * @throws UnsupportedOperationException when they have more than {@link Integer#MAX_VALUE} bytes
   */
  public IntBuffer asBuffer(long from, int count) {
    return bytes(from, count).asIntBuffer();
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
