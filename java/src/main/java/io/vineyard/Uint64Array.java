package io.vineyard;

import java.math.BigInteger;
import java.nio.LongBuffer;
import java.util.stream.LongStream;

/**
 * A view of {@code uint64} elements in shared memory. Java has no type for them: an element from
 * 2<sup>63</sup> on is a negative {@code long} of the same bits, for {@link Long#compareUnsigned},
 * {@link Long#toUnsignedString} and their like. Order, ownership and errors are those of {@link
 * TypedArray}.
 */
public final class Uint64Array extends TypedArray {
  Uint64Array(Elements memory) {
    super(ElementType.UINT64, memory);
  }

  /**
   * The bits of the element at an index.
   *
   * @param i index, from 0 to {@code size() - 1}
   * @return the element; from 2<sup>63</sup> on less by 2<sup>64</sup>, thus negative
   * @throws IndexOutOfBoundsException for any other index
   */
  public long get(long i) {
    return memory.int64(checked(i) * Long.BYTES);
  }

  /**
   * The value of the element at an index.
   *
   * @param i index, from 0 to {@code size() - 1}
   * @return the element, never negative
   * @throws IndexOutOfBoundsException for any other index
   */
  public BigInteger getBigInteger(long i) {
    return new BigInteger(Long.toUnsignedString(get(i)));
  }

  /**
   * Copies all elements, bit for bit.
   *
   * @return a new array
   * @throws UnsupportedOperationException for more elements than a Java array has; parts can be
   *     copied with {@link #toArray(long, int)}
   */
  public long[] toArray() {
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
  public long[] toArray(long from, int count) {
    long[] array = new long[arrayLength(from, count)];
    copy(
        from,
        count,
        (part, at) -> part.asLongBuffer().get(array, at, part.remaining() / Long.BYTES));
    return array;
  }

  /**
   * Shows all elements, bit for bit.
   *
   * @return a new read-only buffer over the same memory
   * @throws UnsupportedOperationException when the elements have more than {@link
   *     Integer#MAX_VALUE} bytes; parts can be had with {@link #asBuffer(long, int)}
   */
  public LongBuffer asBuffer() {
    return bytes(0, size()).asLongBuffer();
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
  public LongBuffer asBuffer(long from, int count) {
    return bytes(from, count).asLongBuffer();
  }

  /**
   * The elements in order, each the bits that {@link #get} returns.
   *
   * @return a new stream that reads the memory as it goes
   */
  public LongStream stream() {
    return indices().map(this::get);
  }
}
