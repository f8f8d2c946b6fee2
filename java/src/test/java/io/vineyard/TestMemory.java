package io.vineyard;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.function.Consumer;

/** Memory for views, made of bytes that a test writes. */
final class TestMemory {
  /** So small that arrays of a few hundred bytes lie in several. */
  static final int CHUNK_BYTES = 64;

  private TestMemory() {}

  /** As many bytes as said, written by `fill` through a little-endian buffer, then read-only. */
  static ByteBuffer bytes(int byteSize, Consumer<ByteBuffer> fill) {
    ByteBuffer buffer = ByteBuffer.allocateDirect(byteSize).order(ByteOrder.LITTLE_ENDIAN);
    fill.accept(buffer);
    return buffer.asReadOnlyBuffer();
  }

  /** A source as `Elements` wants it; its buffers are big-endian, as Java makes them. */
  static Elements.Slices slicesOf(ByteBuffer buffer) {
    return (offset, length) -> buffer.slice(Math.toIntExact(offset), length);
  }

  /** The same bytes as one buffer and as chunks. */
  static List<Elements> forms(int byteSize, Consumer<ByteBuffer> fill) {
    Elements.Slices slices = slicesOf(bytes(byteSize, fill));
    return List.of(new Elements(slices, byteSize), new Elements(slices, byteSize, CHUNK_BYTES));
  }

  /** One buffer of zeros. */
  static Elements zeros(int byteSize) {
    return new Elements(slicesOf(bytes(byteSize, buffer -> {})), byteSize);
  }
}
