package io.vineyard;

import java.nio.FloatBuffer;
import java.util.stream.DoubleStream;

/**
 * A view of {@code float32} elements in shared memory. Order, ownership and errors are those of
 * {@link TypedArray}.
 */
public final class Float32Array extends TypedArray {
  Float32Array(Elements memory) {
    super(ElementType.FLOAT32, memory);
  }

  /**
   * The element at an index.
   *
   * @param i index, from 0 to {@code size() - 1}
   * @return the element
   * @throws IndexOutOfBoundsException for any other index
   */
  public float get(long i) {
    return memory.float32(checked(i) * Float.BYTES);
  }

  /**
   * The bits of the element at an index, those of a NaN too.
   *
   * @param i index, from 0 to {@code size() - 1}
   * @return IEEE 754 binary32
   * @throws IndexOutOfBoundsException for any other index
   */
  public int getBits(long i) {
    return memory.int32(checked(i) * Float.BYTES);
  }

  /**
   * Copies all elements.
   *
   * @return a new array
   * @throws UnsupportedOperationException for more elements than a Java array has; parts can be
   *     copied with {@link #toArray(long, int)}
   */
  public float[] toArray() {
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
  public float[] toArray(long from, int count) {
    float[] array = new float[arrayLength(from, count)];
    copy(
        from,
        count,
        (part, at) -> part.asFloatBuffer().get(array, at, part.remaining() / Float.BYTES));
    return array;
  }

  /**
   * Shows all elements.
   *
   * @return a new read-only buffer over the same memory
   * @throws UnsupportedOperationException when the elements have more than {@link
   *     Integer#MAX_VALUE} bytes; parts can be had with {@link #asBuffer(long, int)}
   */
  public FloatBuffer asBuffer() {
    return bytes(0, size()).asFloatBuffer();
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
  public FloatBuffer asBuffer(long from, int count) {
    return bytes(from, count).asFloatBuffer();
  }

  /**
   * The elements in order.
   *
   * @return a new stream that reads the memory as it goes
   */
  public DoubleStream stream() {
    return indices().mapToDouble(this::get);
  }
}
