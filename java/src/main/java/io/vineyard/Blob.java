package io.vineyard;

import io.vineyard.internal.Holder;
import io.vineyard.internal.Native;
import io.vineyard.internal.Pin;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.function.Function;

/**
 * The bytes of a sealed blob, in shared memory, read in place. They never change. Thread-safe.
 *
 * <p>While a blob is open its bytes stay, whoever deletes it and whatever process ends, also after the client is
 * closed. {@link #close()} gives them back at once; without a close, the collector does, once neither the blob nor any
 * buffer or typed array of it can be reached.
 */
public final class Blob implements AutoCloseable {
  private static final int LARGEST_ROOT = 1 << 30;

  private final ObjectId id;
  private final Pin pin;
  private final Pin.Root root;  // of the first GiB: what keeps the pin

  Blob(Pin pin) {
    this(new ObjectId(Native.vineyard_blob_id(pin.blob())), pin);
  }

  Blob(ObjectId id, Pin pin) {
    this.id = id;
    this.pin = pin;
    this.root = pin.newRoot(0, (int) Math.min(pin.size(), LARGEST_ROOT));
  }

  /**
   * Its id.
   *
   * @return a blob's id
   */
  public ObjectId id() {
    return id;
  }

  /**
   * The size of its value.
   *
   * @return bytes
   */
  public long size() {
    return pin.size();
  }

  /**
   * The size of its stored form: that of the value and of what Python puts around {@code bytes}.
   *
   * @return bytes, 28 for the bytes "Hello, World!"
   */
  public long storedSize() {
    synchronized (pin) {
      long size = Native.vineyard_blob_stored_size(pin.blob());
      Reference.reachabilityFence(root);  // with which the pin would go
      return size;
    }
  }

  /**
   * How it is stored.
   *
   * @return never null
   */
  public BlobKind kind() {
    synchronized (pin) {
      BlobKind kind = BlobKind.of(Native.vineyard_blob_kind(pin.blob()));
      Reference.reachabilityFence(root);
      return kind;
    }
  }

  /**
   * The value, in place: read-only, little-endian, at position 0, independent of earlier ones.
   *
   * @return a direct buffer over all of it
   * @throws IllegalStateException it is closed, or larger than a buffer can be: see {@link #slice}
   */
  public ByteBuffer buffer() {
    if (size() > Integer.MAX_VALUE) {
      throw new IllegalStateException(
          "blob " + id + ": " + size() + " bytes, more than a buffer can have; use slice(offset, length)");
    }
    return slice(0, size());
  }

  /**
   * A part of the value, in place: read-only, little-endian, at position 0.
   *
   * @param offset of its first byte
   * @param length bytes, at most {@link Integer#MAX_VALUE}
   * @return a direct buffer
   * @throws IndexOutOfBoundsException the part is not all inside
   * @throws IllegalArgumentException longer than a buffer can be
   * @throws IllegalStateException it is closed
   */
  public ByteBuffer slice(long offset, long length) {
    Objects.checkFromIndexSize(offset, length, size());
    if (length > Integer.MAX_VALUE) {
      throw new IllegalArgumentException("blob " + id + ": a slice of " + length + " bytes, more than a buffer can have");
    }
    if (offset + length > root.buffer().capacity()) {
      ByteBuffer part = pin.hand(pin.newRoot(offset, (int) length));
      Reference.reachabilityFence(root);
      return part;
    }
    ByteBuffer whole = pin.hand(root);
    if (offset == 0 && length == whole.capacity()) {
      return whole;
    }
    return whole.slice((int) offset, (int) length).order(whole.order());
  }

  /**
   * The stored form, in place: of {@code bytes} their pickle, in which the value is a window. Read-only, little-endian.
   *
   * @return a direct buffer of {@link #storedSize()} bytes
   * @throws IllegalStateException it is closed, or larger than a buffer can be: see {@link #storedSlice}
   */
  public ByteBuffer storedBuffer() {
    long size = storedSize();
    if (size > Integer.MAX_VALUE) {
      throw new IllegalStateException("blob " + id + ": " + size
          + " bytes stored, more than a buffer can have; use storedSlice(offset, length)");
    }
    return storedSlice(0, size);
  }

  /**
   * A part of the stored form, in place: read-only, little-endian, at position 0.
   *
   * @param offset of its first byte, from the beginning of the stored form
   * @param length bytes, at most {@link Integer#MAX_VALUE}
   * @return a direct buffer
   * @throws IndexOutOfBoundsException the part is not all inside
   * @throws IllegalArgumentException longer than a buffer can be
   * @throws IllegalStateException it is closed
   */
  public ByteBuffer storedSlice(long offset, long length) {
    Objects.checkFromIndexSize(offset, length, storedSize());
    if (length > Integer.MAX_VALUE) {
      throw new IllegalArgumentException("blob " + id + ": a slice of " + length + " bytes, more than a buffer can have");
    }
    synchronized (pin) {
      long before = Native.vineyard_blob_stored_data(pin.blob()) - pin.address();
      ByteBuffer part = pin.hand(pin.newRoot(before + offset, (int) length));
      Reference.reachabilityFence(root);
      return part;
    }
  }

  /**
   * The value as a view of the wanted class, in place: a {@link ByteBuffer}, or a {@link TypedArray} such as
   * {@link Float64Array} over as many whole elements as there are.
   *
   * @param <T> what is wanted
   * @param type its class
   * @return a view
   * @throws UnsupportedOperationException there is no view of that class; the text says of which there are
   * @throws IllegalArgumentException the size is no multiple of the element's
   * @throws IllegalStateException it is closed
   */
  public <T> T as(Class<T> type) {
    if (type == ByteBuffer.class) {
      return type.cast(buffer());
    }
    ElementType element = TypedArray.elementOf(Objects.requireNonNull(type, "type"));
    if (element == null) {
      throw TypedArray.noView("blob " + id, type);
    }
    return type.cast(array(element, 0, size()));
  }

  TypedArray array(ElementType element, long offset, long length) {
    return TypedArray.of(element, new Elements((from, count) -> slice(offset + from, count), length));
  }

  /**
   * The same bytes once more, with a life of its own: they stay until both are closed.
   *
   * @return to be closed
   * @throws IllegalStateException it is closed
   */
  public Blob share() {
    synchronized (pin) {
      Pin again = new Pin();
      Blob shared = Holder.own(again, null, none -> Native.vineyard_blob_share(pin.blob()), () -> new Blob(id, again.locate()));
      Reference.reachabilityFence(root);
      return shared;
    }
  }

  Pin pin() {
    return pin;
  }

  /**
   * A copy of the value.
   *
   * @return all bytes
   * @throws IllegalStateException it is closed, or larger than an array can be
   */
  public byte[] toByteArray() {
    if (size() > Integer.MAX_VALUE) {
      throw new IllegalStateException(
          "blob " + id + ": " + size() + " bytes, more than an array can have; use slice(offset, length)");
    }
    return read(buffer -> {
      byte[] bytes = new byte[buffer.remaining()];
      buffer.get(bytes);
      return bytes;
    });
  }

  /** What `reader` makes of the value, at most 2 GiB, and keeps nothing of: nobody else has a buffer then, and a close leaves nothing. */
  <T> T read(Function<ByteBuffer, T> reader) {
    try {
      return pin.read(reader);
    } finally {
      Reference.reachabilityFence(root);
    }
  }

  /** Gives the bytes back: nobody reads on in buffers and arrays of this blob. Closing twice is allowed. */
  @Override
  public void close() {
    pin.close(root);
  }

  /**
   * Whether it was closed.
   *
   * @return true after {@link #close()}
   */
  public boolean isClosed() {
    return pin.isClosed();
  }

  @Override
  public String toString() {
    return "Blob[" + id + ", " + size() + " bytes" + (isClosed() ? ", closed]" : "]");
  }
}
