package io.vineyard;

import java.nio.ByteBuffer;
import java.util.stream.IntStream;

/**
 * A view of {@code uint8} elements in shared memory. Single elements are {@code int}, many at once
 * are {@code byte}: {@link Byte#toUnsignedInt} makes the one of the other. Order, ownership and
 * errors are those of {@link TypedArray}.
 */
public final class Uint8Array extends TypedArray {
  Uint8Array(Elements memory) {
    super(ElementType.UINT8, memory);
  }

  /**
   * The element at an index.
   *
   * @param i index, from 0 to {@code size() - 1}
   * @return the element
   * @throws IndexOutOfBoundsException for any other index
   */
  public int get(long i) {
    return Byte.toUnsignedInt(memory.int8(checked(i)));
  }

  /**
   * Copies all elements, bit for bit.
   *
   * @return a new array
   * @throws UnsupportedOperationException for more elements than a Java array has; parts can be
   *     copied with {@link #toArray(long, int)}
   */
  public byte[] toArray() {
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
  public byte[] toArray(long from, int count) {
    byte[] array = new byte[arrayLength(from, count)];
    copy(from, count, (part, at) -> part.get(array, at, part.remaining()));
    return array;
  }

  /**
   * Shows all elements, bit for bit.
   *
   * @return a new read-only buffer over the same memory
   * @throws UnsupportedOperationException when the elements have more than {@link
   *     Integer#MAX_VALUE} bytes; parts can be had with {@link #asBuffer(long, int)}
   */
  public ByteBuffer asBuffer() {
    return bytes(0, size());
  }

  /**
   * Shows some elements, bit for bit.
   *
   * @param from index of the first
   * @param count how many
   * @return a new read-only buffer over the same memory
   * @throws IndexOutOfBoundsException when one of them is not in the array
   */
  public ByteBuffer asBuffer(long from, int count) {
    return bytes(from, count);
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
