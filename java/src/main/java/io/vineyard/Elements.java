package io.vineyard;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;

/**
 * The memory of an array, addressed by {@code long} byte offsets, also where it is longer than a
 * {@link ByteBuffer} can be. Immutable, so safe for use by many threads.
 *
 * <p>Memory of less than two chunks is one buffer, longer memory is a row of chunks. An element
 * never straddles two of them: offsets are multiples of the element's size, chunks are of every
 * element's.
 *
 * <p>The buffers keep the memory: whoever holds an {@code Elements} holds the pin behind them.
 */
final class Elements {
  /** Where the buffers come from. */
  @FunctionalInterface
  interface Slices {
    /**
     * A new read-only direct buffer over a part of the memory, which it keeps reachable.
     *
     * @param offset first byte
     * @param length bytes, 0 or more
     */
    ByteBuffer slice(long offset, int length);
  }

  /** What is done with a contiguous part of a range. */
  @FunctionalInterface
  interface PartConsumer {
    /**
     * Takes one part.
     *
     * @param part the bytes, little-endian
     * @param done how many bytes of the range came before
     */
    void accept(ByteBuffer part, long done);
  }

  private static final int CHUNK_BYTES = 1 << 30;

  // The memory when it is one buffer, else null. Each read goes through ByteBuffer.getX(int) on the
  // type MappedByteBuffer, which every direct buffer has and whose getX has one implementation in
  // the JDK: the call is inlined without a profile, and that implementation passes the constant
  // null for a heap array. A sum of 8 Mi doubles runs at 99 to 100 % of the speed of the same loop
  // over a double[] (JDK 17 and 25), whatever else the program did before. A VarHandle of
  // byteBufferViewVarHandle does too, but at 50 to 67 % as soon as any code of the program used one
  // on heap buffers: all share one profile. A field of type ByteBuffer or DoubleBuffer does too,
  // but at 13 to 25 % once buffers of three classes came by. Memory in chunks is read at about half
  // the speed.
  private final MappedByteBuffer whole;
  private final MappedByteBuffer[] chunks; // null when `whole` is not
  private final Slices slices;
  private final long byteSize;
  private final int chunkShift;

  /**
   * Memory in chunks of 1 GiB.
   *
   * @param slices gives its buffers; asked for them now, and by {@link #slice} where it says so
   * @param byteSize bytes
   */
  Elements(Slices slices, long byteSize) {
    this(slices, byteSize, CHUNK_BYTES);
  }

  /**
   * Memory in chunks of a size.
   *
   * @param chunkBytes a power of two, at least 16, the size of the largest element
   */
  Elements(Slices slices, long byteSize, int chunkBytes) {
    this.slices = slices;
    this.byteSize = byteSize;
    this.chunkShift = Integer.numberOfTrailingZeros(chunkBytes);
    if (byteSize < 2L * chunkBytes) {
      whole = direct(slices.slice(0, (int) byteSize));
      chunks = null;
      return;
    }
    whole = null;
    chunks = new MappedByteBuffer[Math.toIntExact((byteSize + chunkBytes - 1) >>> chunkShift)];
    for (int k = 0; k < chunks.length; k++) {
      long offset = (long) k << chunkShift;
      chunks[k] = direct(slices.slice(offset, (int) Math.min(chunkBytes, byteSize - offset)));
    }
  }

  long byteSize() {
    return byteSize;
  }

  byte int8(long offset) {
    return whole != null ? whole.get((int) offset) : chunk(offset).get(within(offset));
  }

  short int16(long offset) {
    return whole != null ? whole.getShort((int) offset) : chunk(offset).getShort(within(offset));
  }

  int int32(long offset) {
    return whole != null ? whole.getInt((int) offset) : chunk(offset).getInt(within(offset));
  }

  long int64(long offset) {
    return whole != null ? whole.getLong((int) offset) : chunk(offset).getLong(within(offset));
  }

  float float32(long offset) {
    return whole != null ? whole.getFloat((int) offset) : chunk(offset).getFloat(within(offset));
  }

  double float64(long offset) {
    return whole != null ? whole.getDouble((int) offset) : chunk(offset).getDouble(within(offset));
  }

  /**
   * A new read-only little-endian buffer over any part, across chunks too: of memory in chunks a
   * new slice of the source.
   */
  ByteBuffer slice(long offset, int length) {
    return littleEndian(
        whole != null ? whole.slice((int) offset, length) : slices.slice(offset, length));
  }

  /** Gives a range to `consumer`, from its first part to its last. */
  void forEachPart(long offset, long length, PartConsumer consumer) {
    if (whole != null) {
      consumer.accept(slice(offset, (int) length), 0);
      return;
    }
    for (long done = 0; done < length; ) {
      MappedByteBuffer chunk = chunk(offset + done);
      int start = within(offset + done);
      int bytes = (int) Math.min(length - done, chunk.limit() - start);
      consumer.accept(littleEndian(chunk.slice(start, bytes)), done);
      done += bytes;
    }
  }

  private MappedByteBuffer chunk(long offset) {
    return chunks[(int) (offset >>> chunkShift)];
  }

  private int within(long offset) {
    return (int) (offset & ((1L << chunkShift) - 1));
  }

  private static MappedByteBuffer direct(ByteBuffer buffer) {
    if (littleEndian(buffer) instanceof MappedByteBuffer direct) {
      return direct;
    }
    throw new IllegalArgumentException("elements are read from direct buffers only");
  }

  // A slice or a duplicate forgets its parent's byte order.
  private static ByteBuffer littleEndian(ByteBuffer buffer) {
    return buffer.order(ByteOrder.LITTLE_ENDIAN);
  }
}
