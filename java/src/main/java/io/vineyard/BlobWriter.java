package io.vineyard;

import io.vineyard.internal.Handle;
import io.vineyard.internal.Native;
import io.vineyard.internal.Use;
import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.LongConsumer;

/**
 * A blob being written, directly in shared memory. {@link #seal()} makes it immutable and visible; a close without it
 * gives the memory back. For one thread at a time.
 *
 * <p>Do not write into buffers of it once it is sealed or closed: a buffer can not be taken back, and its memory may
 * belong to another object by then. What is written there once its client is closed is lost, and harms nobody.
 */
public final class BlobWriter implements AutoCloseable {
  private final Connection client;  // not to be collected, and closed, before
  private final Handle handle;
  private final Cleaner.Cleanable cleanable;
  private final ObjectId id;
  private long size;

  BlobWriter(Handle writer, Connection client) {
    this.client = client;
    this.id = new ObjectId(Native.vineyard_blob_writer_id(writer.pointer()));
    this.size = Native.vineyard_blob_writer_size(writer.pointer());
    writer.rename("blob writer " + id);
    this.handle = writer;
    this.cleanable = Handle.CLEANER.register(this, writer);
  }

  /** What {@link #BlobWriter} takes, once it holds a writer. */
  static Handle newHandle() {
    return new Handle("blob writer", BlobWriter::abortUnsealed, Native::vineyard_blob_writer_release, true);
  }

  /**
   * The id that the blob will have. Others can wait for it already.
   *
   * @return a blob's id
   */
  public ObjectId id() {
    return id;
  }

  /**
   * Its size: what was asked for, or what {@link #shrink} has left.
   *
   * @return bytes
   */
  public long size() {
    return size;
  }

  /**
   * All of its memory: writable, little-endian, at position 0.
   *
   * @return a direct buffer
   * @throws IllegalStateException it is sealed or closed, or larger than a buffer can be: see {@link #slice}
   */
  public ByteBuffer buffer() {
    if (size > Integer.MAX_VALUE) {
      throw new IllegalStateException(
          "blob writer: " + size + " bytes, more than a buffer can have; use slice(offset, length)");
    }
    return slice(0, size);
  }

  /**
   * A part of its memory: writable, little-endian, at position 0.
   *
   * @param offset of its first byte
   * @param length bytes, at most {@link Integer#MAX_VALUE}
   * @return a direct buffer
   * @throws IndexOutOfBoundsException the part is not all inside
   * @throws IllegalArgumentException longer than a buffer can be
   * @throws IllegalStateException it is sealed or closed
   */
  public ByteBuffer slice(long offset, long length) {
    Objects.checkFromIndexSize(offset, length, size);
    if (length > Integer.MAX_VALUE) {
      throw new IllegalArgumentException("blob writer: a slice of " + length + " bytes, more than a buffer can have");
    }
    return handle.use(this, writer -> {
      ByteBuffer buffer = Native.vy_buffer(data(writer) + offset, length);
      // While somebody may write there, the native writer is not released: its memory stays mapped and, until somebody closes or
      // aborts it, nobody else's.
      Use use = new Use(handle);
      use.enter(() -> Handle.CLEANER.register(buffer, use));
      return buffer.slice().order(ByteOrder.LITTLE_ENDIAN);
    });
  }

  /** Writes all of it, at most 2 GiB. `write` keeps nothing of the buffer, so nothing is left to the collector. */
  void fill(Consumer<ByteBuffer> write) {
    use(writer -> write.accept(Native.vy_buffer(data(writer), size).order(ByteOrder.LITTLE_ENDIAN)));
  }

  private long data(long writer) {
    long data = Native.vineyard_blob_writer_data(writer);
    if (data == 0) {
      throw new IllegalStateException("blob writer " + id + ": it is sealed, or its client is closed");
    }
    return data;
  }

  /**
   * Keeps the first bytes; the rest goes back when it is sealed.
   *
   * @param newSize bytes
   * @throws IllegalArgumentException larger than it is, or negative
   * @throws IllegalStateException it is sealed, aborted or closed
   */
  public void shrink(long newSize) {
    if (newSize < 0 || newSize > size) {
      throw new IllegalArgumentException("blob writer: shrink to " + newSize + " bytes; it has " + size);
    }
    use(writer -> Native.vineyard_blob_writer_shrink(writer, newSize));
    size = newSize;
  }

  /**
   * Makes it immutable and visible.
   *
   * @return the blob's id
   * @throws IllegalStateException it is sealed already, aborted or closed
   */
  public ObjectId seal() {
    use(Native::vineyard_blob_writer_seal);
    return id;
  }

  /**
   * Gives the memory back. Aborting twice is allowed.
   *
   * @throws IllegalStateException it is sealed or closed
   */
  public void abort() {
    use(Native::vineyard_blob_writer_abort);
  }

  Handle handle() {
    return handle;
  }

  private static void abortUnsealed(long writer) {
    if (Native.vineyard_blob_writer_data(writer) == 0) {
      return;  // it is sealed, or was aborted, by itself or with its client
    }
    try {
      Native.vineyard_blob_writer_abort(writer);
    } catch (VineyardException ignored) {
      // The daemon is away: what was written is gone with the session.
    }
  }

  private void use(LongConsumer call) {
    try {
      handle.use(this, writer -> {
        call.accept(writer);
        return null;
      });
    } catch (VineyardException error) {
      if (error.status() == Status.SEALED || error.status() == Status.INVALID) {  // sealed; aborted, or its client is closed
        throw new IllegalStateException(error.getMessage(), error);
      }
      throw error;
    }
  }

  /** Aborts what was not sealed. Closing twice is allowed. */
  @Override
  public void close() {
    handle.close(this, cleanable);
  }

  @Override
  public String toString() {
    return "BlobWriter[" + id + ", " + size + " bytes" + (handle.isClosed() ? ", closed]" : "]");
  }
}
