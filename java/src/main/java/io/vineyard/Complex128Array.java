package io.vineyard;

import java.nio.DoubleBuffer;

/**
 * A view of {@code complex128} elements in shared memory. Many elements at once are pairs of {@code
 * double}: the real part of element {@code i} at index {@code 2 * i}, its imaginary part behind it.
 * Order, ownership and errors are those of {@link TypedArray}.
 */
public final class Complex128Array extends TypedArray {
  Complex128Array(Elements memory) {
    super(ElementType.COMPLEX128, memory);
  }

  /**
   * The real part of the element at an index.
   *
   * @param i index, from 0 to {@code size() - 1}
   * @return the real part
   * @throws IndexOutOfBoundsException for any other index
   */
  public double real(long i) {
    return memory.float64(checked(i) * 2 * Double.BYTES);
  }

  /**
   * The imaginary part of the element at an index.
   *
   * @param i index, from 0 to {@code size() - 1}
   * @return the imaginary part
   * @throws IndexOutOfBoundsException for any other index
   */
  public double imag(long i) {
    return memory.float64(checked(i) * 2 * Double.BYTES + Double.BYTES);
  }

  /**
   * Copies all elements, real and imaginary parts by turns.
   *
   * @return a new array
   * @throws UnsupportedOperationException for more elements than a Java array has; parts can be
   *     copied with {@link #toArray(long, int)}
   */
  public double[] toArray() {
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
  public double[] toArray(long from, int count) {
    double[] array = new double[arrayLength(from, count)];
    copy(
        from,
        count,
        (part, at) -> part.asDoubleBuffer().get(array, at, part.remaining() / Double.BYTES));
    return array;
  }

  /**
   * Shows all elements, real and imaginary parts by turns.
   *
   * @return a new read-only buffer over the same memory
   * @throws UnsupportedOperationException when the elements have more than {@link
   *     Integer#MAX_VALUE} bytes; parts can be had with {@link #asBuffer(long, int)}
   */
  public DoubleBuffer asBuffer() {
    return bytes(0, size()).asDoubleBuffer();
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
  public DoubleBuffer asBuffer(long from, int count) {
    return bytes(from, count).asDoubleBuffer();
  }
}
