package io.vineyard;

import java.nio.FloatBuffer;

/**
 * A view of {@code complex64} elements in shared memory. Many elements at once are pairs of {@code
 * float}: the real part of element {@code i} at index {@code 2 * i}, its imaginary part behind it.
 * Order, ownership and errors are those of {@link TypedArray}.
 */
public final class Complex64Array extends TypedArray {
  Complex64Array(Elements memory) {
    super(ElementType.COMPLEX64, memory);
  }

  /**
   * The real part of the element at an index.
   *
   * @param i index, from 0 to {@code size() - 1}
   * @return the real part
   * @throws IndexOutOfBoundsException for any other index
   */
  public float real(long i) {
    return memory.float32(checked(i) * 2 * Float.BYTES);
  }

  /**
   * The imaginary part of the element at an index.
   *
   * @param i index, from 0 to {@code size() - 1}
   * @return the imaginary part
   * @throws IndexOutOfBoundsException for any other index
   */
  public float imag(long i) {
    return memory.float32(checked(i) * 2 * Float.BYTES + Float.BYTES);
  }

  /**
   * Copies all elements, real and imaginary parts by turns.
   *
   * @return a new array
   * @throws UnsupportedOperationException for more elements than a Java array has; parts can be
   *     copied with {@link #toArray(long, int)}
   */
  public float[] toArray() {
    return toArray(0, count());
  }

  /**
   * Copies some elements, real and imaginary parts by turns.
   *
   * @param from index of the first
   * @param count how many
   * @return a new array
   * @throws IndexOutOfBoundsException when one of them is not in the array
   * @throws UnsupportedOperationException for more elements than a Java array has pairs
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
   * Shows all elements, real and imaginary parts by turns.
   *
   * @return a new read-only buffer over the same memory
   * @throws UnsupportedOperationException when the elements have more than {@link
   *     Integer#MAX_VALUE} bytes; parts can be had with {@link #asBuffer(long, int)}
   */
  public FloatBuffer asBuffer() {
    return bytes(0, size()).asFloatBuffer();
  }

  /**
   * Shows some elements, real and imaginary parts by turns.
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
}
