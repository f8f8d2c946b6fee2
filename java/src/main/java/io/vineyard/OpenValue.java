package io.vineyard;

import java.util.List;

/**
 * A value of {@link Client#openValue} with all that it reads in place, arrays and buffers inside of lists, tuples and maps among
 * them: {@link #close()} gives their bytes back at once. Thread-safe.
 */
public final class OpenValue implements AutoCloseable {
  private final Object value;
  private final List<Blob> opened;
  private volatile boolean closed;

  OpenValue(Object value, List<Blob> opened) {
    this.value = value;
    this.opened = opened;
  }

  /**
   * The value.
   *
   * @return as of {@link Client#getValue}, null too
   * @throws IllegalStateException it is closed
   */
  public Object get() {
    if (closed) {
      throw new IllegalStateException("value: it is closed");
    }
    return value;
  }

  /**
   * Gives back what the value reads in place: nobody reads on in its arrays and buffers. Numbers, text and byte[] are copies
   * and stay. Closing twice is allowed.
   */
  @Override
  public void close() {
    closed = true;
    Ends.check(Ends.each(opened, Blob::close, null));
  }

  @Override
  public String toString() {
    return "OpenValue[" + opened.size() + " in place" + (closed ? ", closed]" : "]");
  }
}
