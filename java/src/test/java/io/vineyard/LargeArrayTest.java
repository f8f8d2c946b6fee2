package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** Views of more than 2 GiB: a sparse file of 9 GiB, which takes address space and a few pages. */
class LargeArrayTest {
  private static final long GIB = 1L << 30;
  private static final long SIZE = 9 * GIB;
  // At each border of a chunk the doubles before and behind it, and the last of all.
  private static final double MARK = 1.5;

  @TempDir static Path folder;
  private static FileChannel file;
  private static Elements memory;

  @BeforeAll
  static void makeFile() throws IOException {
    file =
        FileChannel.open(
            folder.resolve("sparse"),
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.SPARSE,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE);
    for (long border = GIB; border <= SIZE; border += GIB) {
      write(border - Double.BYTES, -MARK * border);
      if (border < SIZE) {
        write(border, MARK * border);
      }
    }
    memory = new Elements(LargeArrayTest::map, SIZE);
  }

  @AfterAll
  static void closeFile() throws IOException {
    memory = null;
    file.close();
  }

  @Test
  void elementsAreReadOnBothSidesOfEachBorder() {
    Float64Array array = new Float64Array(memory);
    assertEquals(SIZE / Double.BYTES, array.size());
    assertEquals(SIZE, array.byteSize());
    for (long border = GIB; border <= SIZE; border += GIB) {
      long i = border / Double.BYTES;
      assertEquals(0, array.get(i - 2));
      assertEquals(-MARK * border, array.get(i - 1));
      if (border < SIZE) {
        assertEquals(MARK * border, array.get(i));
        assertEquals(0, array.get(i + 1));
      }
    }
    assertThrows(IndexOutOfBoundsException.class, () -> array.get(SIZE / Double.BYTES));
  }

  @Test
  void partsAcrossABorderAreShownAndCopied() {
    Float64Array array = new Float64Array(memory);
    for (long border = GIB; border < SIZE; border += GIB) {
      long from = border / Double.BYTES - 2;
      double[] expected = {0, -MARK * border, MARK * border, 0};
      double[] shown = new double[4];
      array.asBuffer(from, 4).get(shown);
      assertArrayEquals(expected, shown);
      assertArrayEquals(expected, array.toArray(from, 4));
    }
  }

  @Test
  void theLongestBufferBeginsAnywhere() {
    Float64Array array = new Float64Array(memory);
    int count = Integer.MAX_VALUE / Double.BYTES;
    long from = 3 * GIB / Double.BYTES - 1;
    assertEquals(count, array.asBuffer(from, count).capacity());
    assertEquals(-MARK * 3 * GIB, array.asBuffer(from, count).get(0));
    assertEquals(MARK * 4 * GIB, array.asBuffer(from, count).get((int) (GIB / Double.BYTES) + 1));
  }

  @Test
  void whatABufferCannotShowIsSaidWithTheWayOut() {
    Float64Array doubles = new Float64Array(memory);
    assertTooLong("asBuffer(from, count)", doubles::asBuffer);
    assertTooLong("asBuffer(from, count)", () -> doubles.asBuffer(0, 1 << 28));
    assertTooLong("asBuffer(from, count)", new Int8Array(memory)::asBuffer);
    assertTooLong("asBuffer(from, count)", new BoolArray(memory)::asBuffer);
    assertTooLong("asBuffer(from, count)", new Complex64Array(memory)::asBuffer);
  }

  @Test
  void whatAJavaArrayCannotHoldIsSaidWithTheWayOut() {
    assertTooLong("toArray(from, count)", new Int8Array(memory)::toArray);
    assertTooLong("toArray(from, count)", new Uint16Array(memory)::toArray);
    assertTooLong("toArray(from, count)", new Complex64Array(memory)::toArray);
    assertTooLong("toArray(from, count)", () -> new Complex64Array(memory).toArray(0, 1 << 30));
  }

  @Test
  void indicesOfSmallElementsAreBeyondAnInt() {
    ByteBuffer mark = ByteBuffer.allocate(Double.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    mark.putDouble(0, -MARK * SIZE);
    Int8Array array = new Int8Array(memory);
    for (int k = 0; k < Double.BYTES; k++) {
      assertEquals(mark.get(k), array.get(SIZE - Double.BYTES + k));
    }
    assertArrayEquals(mark.array(), array.toArray(SIZE - Double.BYTES, Double.BYTES));
    assertEquals(mark, array.asBuffer(SIZE - Double.BYTES, Double.BYTES));
    assertEquals("int8[9663676416]", array.toString());
  }

  private static void assertTooLong(String wayOut, Executable call) {
    String message = assertThrows(UnsupportedOperationException.class, call).getMessage();
    assertTrue(message.contains(wayOut), message);
  }

  private static void write(long offset, double value) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(Double.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    file.write(bytes.putDouble(0, value), offset);
  }

  private static ByteBuffer map(long offset, int length) {
    try {
      return file.map(MapMode.READ_ONLY, offset, length);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
