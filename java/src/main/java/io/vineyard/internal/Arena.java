package io.vineyard.internal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Memory outside of Java's heap for the small payloads of one put, which travel with its message: given back with the put and
 * not by the collector. For one thread.
 */
public final class Arena implements AutoCloseable {
  /** The largest payload that travels with the message; what is larger is written straight into shared memory. */
  public static final int LARGEST = 64 * 1024;

  private static final int SMALLEST_CHUNK = 1024;
  private static final int ALIGNMENT = 64;

  private final List<Chunk> chunks = new ArrayList<>();
  private ByteBuffer free;  // of the last chunk
  private int size = SMALLEST_CHUNK / 2;  // of the last chunk

  /**
   * Takes memory, for as long as this is open.
   *
   * @param bytes at most {@link #LARGEST}
   * @param fill writes them, little-endian, and keeps nothing of the buffer
   * @return the address
   */
  public long take(int bytes, Consumer<ByteBuffer> fill) {
    if (free == null || free.remaining() < bytes) {
      size = Math.min(LARGEST, 2 * size);
      free = newChunk(Math.max(size, bytes));
    }
    ByteBuffer taken = free.slice(free.position(), bytes).order(ByteOrder.LITTLE_ENDIAN);
    long address = chunks.get(chunks.size() - 1).pointer + free.position();
    free.position(Math.min(free.limit(), (free.position() + bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT));
    fill.accept(taken);
    return address;
  }

  private ByteBuffer newChunk(int bytes) {
    Chunk chunk = new Chunk();
    return Holder.own(chunk, null, none -> Native.vy_memory_allocate(bytes), () -> {
      ByteBuffer buffer = Native.vy_buffer(chunk.pointer, bytes);
      chunks.add(chunk);
      return buffer;
    });
  }

  @Override
  public void close() {
    chunks.forEach(Chunk::giveBack);
  }

  private static final class Chunk extends Holder {
    Chunk() {
      super(false);
    }

    @Override
    void giveBack() {
      if (pointer != 0) {
        Native.vy_memory_free(pointer);
        pointer = 0;
      }
    }
  }
}
