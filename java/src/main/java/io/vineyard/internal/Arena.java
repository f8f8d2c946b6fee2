package io.vineyard.internal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Memory outside of Java's heap for payloads of one put: small ones, which travel with its message, together in chunks; a large
 * one in a chunk of its own. Given back with the put and not by the collector. For one thread.
 */
public final class Arena implements AutoCloseable {
  /**
   * The largest payload that travels with the message; what is larger is written straight into shared memory, but for a blob that
   * is put by itself under a name: of that the C interface takes bytes only.
   */
  public static final int LARGEST = 64 * 1024;

  private static final int SMALLEST_CHUNK = 1024;
  private static final int ALIGNMENT = 16;  // what malloc gives, and the largest element has

  private final List<Chunk> chunks = new ArrayList<>();
  private ByteBuffer free;  // of the last chunk of small ones
  private long begin;       // that one's address
  private int size = SMALLEST_CHUNK / 2;  // and size

  /**
   * Takes memory, for as long as this is open.
   *
   * @param bytes not negative
   * @param fill writes them, little-endian, and keeps nothing of the buffer
   * @return the address
   */
  public long take(int bytes, Consumer<ByteBuffer> fill) {
    if (bytes > LARGEST) {
      fill.accept(newChunk(bytes).order(ByteOrder.LITTLE_ENDIAN));
      return chunks.get(chunks.size() - 1).pointer;
    }
    if (free == null || free.remaining() < bytes) {
      size = Math.min(LARGEST, 2 * size);
      free = newChunk(Math.max(size, bytes));
      begin = chunks.get(chunks.size() - 1).pointer;
    }
    ByteBuffer taken = free.slice(free.position(), bytes).order(ByteOrder.LITTLE_ENDIAN);
    long address = begin + free.position();
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
