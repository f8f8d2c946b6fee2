package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.ref.Reference;
import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Memory as one buffer and as chunks: same bytes, whatever is read and however. */
class ElementsTest {
  private static final int SIZE = 200; // three chunks and a bit

  // Byte i is i * 37: no two of eight in a row are alike, nor are two chunks.
  private static final ByteBuffer BYTES =
      TestMemory.bytes(
          SIZE,
          buffer -> {
            for (int i = 0; i < SIZE; i++) {
              buffer.put((byte) (i * 37));
            }
          });
  private static final ByteBuffer EXPECTED = BYTES.duplicate().order(ByteOrder.LITTLE_ENDIAN);
  private static final Elements WHOLE = new Elements(TestMemory.slicesOf(BYTES), SIZE);
  private static final Elements CHUNKED =
      new Elements(TestMemory.slicesOf(BYTES), SIZE, TestMemory.CHUNK_BYTES);

  @Test
  void memoryOfLessThanTwoChunksIsOneBuffer() {
    assertEquals(List.of(0), lengthsAskedFor(0));
    assertEquals(List.of(1), lengthsAskedFor(1));
    assertEquals(List.of(64), lengthsAskedFor(64));
    assertEquals(List.of(127), lengthsAskedFor(127));
    assertEquals(List.of(64, 64), lengthsAskedFor(128));
    assertEquals(List.of(64, 64, 1), lengthsAskedFor(129));
  }

  @Test
  void everyOffsetReadsTheSameInChunksAsInOneBuffer() {
    for (Elements memory : List.of(WHOLE, CHUNKED)) {
      for (int at = 0; at < SIZE; at++) {
        assertEquals(EXPECTED.get(at), memory.int8(at));
      }
      for (int at = 0; at < SIZE; at += Short.BYTES) {
        assertEquals(EXPECTED.getShort(at), memory.int16(at));
      }
      for (int at = 0; at < SIZE; at += Integer.BYTES) {
        assertEquals(EXPECTED.getInt(at), memory.int32(at));
        assertEquals(EXPECTED.getFloat(at), memory.float32(at));
      }
      for (int at = 0; at < SIZE; at += Long.BYTES) {
        assertEquals(EXPECTED.getLong(at), memory.int64(at));
        assertEquals(EXPECTED.getDouble(at), memory.float64(at));
      }
    }
  }

  @Test
  void aSliceCrossesChunks() {
    for (Elements memory : List.of(WHOLE, CHUNKED)) {
      for (int from = 0; from <= SIZE; from++) {
        for (int to = from; to <= SIZE; to++) {
          ByteBuffer slice = memory.slice(from, to - from);
          assertEquals(BYTES.slice(from, to - from), slice);
          assertEquals(ByteOrder.LITTLE_ENDIAN, slice.order());
          assertTrue(slice.isReadOnly());
        }
      }
    }
  }

  @Test
  void partsFollowEachOtherAndAddUpToTheRange() {
    for (Elements memory : List.of(WHOLE, CHUNKED)) {
      for (int from = 0; from <= SIZE; from++) {
        for (int to = from; to <= SIZE; to++) {
          ByteBuffer copy = ByteBuffer.allocate(to - from);
          memory.forEachPart(
              from,
              to - from,
              (part, done) -> {
                assertEquals(copy.position(), done);
                assertEquals(ByteOrder.LITTLE_ENDIAN, part.order());
                copy.put(part);
              });
          assertEquals(BYTES.slice(from, to - from), copy.flip());
        }
      }
    }
  }

  @Test
  void heapBuffersAreRefused() {
    assertThrows(
        IllegalArgumentException.class,
        () -> new Elements(TestMemory.slicesOf(ByteBuffer.allocate(8)), 8));
    assertThrows(
        IllegalArgumentException.class,
        () -> new Elements(TestMemory.slicesOf(ByteBuffer.allocate(SIZE)), SIZE, 64));
  }

  @Test
  void viewsAndTheirBuffersKeepTheMemory() {
    for (int chunkBytes : new int[] {TestMemory.CHUNK_BYTES, 2 * SIZE}) {
      List<Object> holder = new ArrayList<>();
      WeakReference<ByteBuffer> memory = memoryOfANewView(chunkBytes, holder);
      collectGarbage();
      assertFalse(memory.refersTo(null));
      holder.add(((Int32Array) holder.remove(0)).asBuffer());
      collectGarbage();
      assertFalse(memory.refersTo(null));
      Reference.reachabilityFence(holder);
      holder.clear();
      collectUntilGone(memory);
    }
  }

  private static List<Integer> lengthsAskedFor(int byteSize) {
    List<Integer> lengths = new ArrayList<>();
    Elements.Slices slices = TestMemory.slicesOf(BYTES);
    new Elements(
        (offset, length) -> {
          lengths.add(length);
          return slices.slice(offset, length);
        },
        byteSize,
        TestMemory.CHUNK_BYTES);
    return lengths;
  }

  /** Puts a view into `holder`; the buffer that its memory is part of is known to nobody else. */
  private static WeakReference<ByteBuffer> memoryOfANewView(int chunkBytes, List<Object> holder) {
    ByteBuffer buffer = ByteBuffer.allocateDirect(SIZE);
    holder.add(new Int32Array(new Elements(TestMemory.slicesOf(buffer), SIZE, chunkBytes)));
    return new WeakReference<>(buffer);
  }

  /** Returns when the collector has found what was garbage before. */
  private static void collectGarbage() {
    collectUntilGone(memoryOfANewView(2 * SIZE, new ArrayList<>()));
  }

  private static void collectUntilGone(WeakReference<?> reference) {
    while (!reference.refersTo(null)) {
      System.gc();
    }
  }
}
