package io.vineyard.internal;

import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.Function;

/**
 * The hold on one blob's bytes: of the first buffer made here (the root), which whoever has the blob holds, and of
 * further ones where a blob is larger than a buffer can be. Thread-safe.
 *
 * <ul>
 *   <li>While a root can be reached and {@link #close()} was not called, the bytes stay.
 *   <li>After {@link #close()} they are the store's again; while a root can be reached that somebody may read, the
 *       memory stays mapped, so that a late read is a wrong value and no fault.
 * </ul>
 *
 * Every slice and view of a root keeps the root itself reachable, and nothing else of this package does: hence the
 * cleaner watches roots.
 */
public final class Pin extends Holder {
  private long address, size;
  private long mapping;     // not 0: closed, and somebody may still read
  private int roots;        // that can be reached
  private boolean handed;   // a buffer went to somebody

  /** Of no blob yet: {@link Holder#own} brings it. */
  public Pin() {
    super(true);
  }

  /** For who makes the owner, once it holds a blob: finds out where the value lies. */
  public Pin locate() {
    return locate(Native.vineyard_blob_data(pointer), Native.vineyard_blob_length(pointer));
  }

  /** The same where it is known. */
  public Pin locate(long address, long size) {
    this.address = address;
    this.size = size;
    return this;
  }

  public long size() {
    return size;
  }

  public long address() {
    return address;
  }

  /** One root over a part, at most 2 GiB - 1: a buffer that keeps the bytes. Not read-only. */
  public synchronized Root newRoot(long offset, int length) {
    if (pointer == 0) {
      throw closed();
    }
    ByteBuffer buffer = Native.vy_buffer(address + offset, length);
    Drop drop = new Drop();
    Cleaner.Cleanable cleanable = Handle.CLEANER.register(buffer, drop);
    drop.counted = true;
    ++roots;
    return new Root(buffer, cleanable);
  }

  /** A buffer of a root for somebody to read: read-only, little-endian. */
  public synchronized ByteBuffer hand(Root root) {
    if (pointer == 0) {
      throw closed();
    }
    handed = true;
    return root.buffer.asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  /** What `reader` makes of all bytes, of which it keeps none: at most 2 GiB. The caller has a root, and keeps it. */
  public synchronized <T> T read(Function<ByteBuffer, T> reader) {
    if (pointer == 0) {
      throw closed();
    }
    return reader.apply(Native.vy_buffer(address, size).asReadOnlyBuffer());
  }

  /** The native handle, for a call that ends before this pin is closed: the caller holds its lock. */
  public synchronized long blob() {
    if (pointer == 0) {
      throw closed();
    }
    return pointer;
  }

  public synchronized boolean isClosed() {
    return pointer == 0;
  }

  /** Gives the bytes back at once; twice is allowed. `root`: the one that is not needed any more if nobody reads. */
  public void close(Root root) {
    room();
    synchronized (this) {
      if (pointer == 0) {
        return;
      }
      try {
        if (handed && mapping == 0) {
          mapping = Native.vineyard_blob_hold_mapping(pointer);
        }
      } finally {
        giveBack();
      }
      if (handed) {
        return;
      }
    }
    root.cleanable.clean();
  }

  /** Of one root, that it can not be reached any more; one that could not be made was not counted. */
  private final class Drop implements Runnable {
    boolean counted;

    @Override
    public void run() {
      synchronized (Pin.this) {
        if (!counted || --roots > 0) {
          return;
        }
        if (pointer != 0) {
          Unclosed.found();
        }
        giveBack();
        if (mapping != 0) {
          Native.vineyard_mapping_release(mapping);
          mapping = 0;
        }
      }
    }
  }

  @Override
  synchronized void giveBack() {
    if (pointer != 0) {
      Native.vineyard_blob_release(pointer);
      pointer = 0;
    }
    gone();
  }

  private static IllegalStateException closed() {
    return new IllegalStateException("blob: it is closed, get it again");
  }

  /** A buffer that the cleaner watches. */
  public record Root(ByteBuffer buffer, Cleaner.Cleanable cleanable) {}
}
