package io.vineyard;

import java.nio.ShortBuffer;
import java.util.stream.DoubleStream;

/**
 * A view of {@code float16} elements in shared memory. Single elements are {@code float}, many at
 * once are {@code short}: {@link #toFloat} makes the one of the other. Order, ownership and errors
 * are those of {@link TypedArray}.
 */
public final class Float16Array extends TypedArray {
  Float16Array(Elements memory) {
    super(ElementType.FLOAT16, memory);
  }

  /**
   * The element at an index.
   *
   * @param i index, from 0 to {@code size() - 1}
   * @return the element, exactly
   * @throws IndexOutOfBoundsException for any other index
   */
  public float get(long i) {
    return toFloat(getBits(i));
  }

  /**
   * The bits of the element at an index.
   *
   * @param i index, from 0 to {@code size() - 1}
   * @return IEEE 754 binary16
   * @throws IndexOutOfBoundsException for any other index
   */
  public short getBits(long i) {
    return memory.int16(checked(i) * Short.BYTES);
  }

  /**
   * The value of a half-precision float, which a {@code float} holds exactly. A NaN keeps sign and
   * payload.
   *
   * @param bits as {@link #getBits}, {@link #toArray()} and {@link #asBuffer()} give them
   * @return the same value
   */
  public static float toFloat(short bits) {
    int sign = (bits & 0x8000) << 16;
    int exponent = (bits >>> 10) & 0x1f;
    int fraction = bits & 0x3ff;
    if (exponent == 0) { // zero or subnormal: a multiple of the least half, a normal float
      return Float.intBitsToFloat(sign | Float.floatToRawIntBits(fraction * 0x1p-24f));
    }
    int biased = exponent == 0x1f ? 0xff : exponent - 15 + 127; // 0x1f: infinity and NaN
    return Float.intBitsToFloat(sign | biased << 23 | fraction << 13);
  }

  /**
   * Copies all elements, bit for bit.
   *
   * @return a new array
   * @throws UnsupportedOperationException for more elements than a Java array has; parts can be
   *     copied with {@link #toArray(long, int)}
   */
  public short[] toArray() {
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
  public short[] toArray(long from, int count) {
    short[] array = new short[arrayLength(from, count)];
    copy(
        from,
        count,
        (part, at) -> part.asShortBuffer().get(array, at, part.remaining() / Short.BYTES));
    return array;
  }

  /**
   * Shows all elements, bit for bit.
   *
   * @return a new read-only buffer over the same memory
   * @throws UnsupportedOperationException when the elements have more than {@link
   *     Integer#MAX_VALUE} bytes; parts can be had with {@link #asBuffer(long, int)}
   */
  public ShortBuffer asBuffer() {
    return bytes(0, size()).asShortBuffer();
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
  public ShortBuffer asBuffer(long from, int count) {
    return bytes(from, count).asShortBuffer();
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
