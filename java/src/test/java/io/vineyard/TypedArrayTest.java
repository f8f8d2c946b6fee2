package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Array;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.BaseStream;
import org.junit.jupiter.api.Test;

/** What all fourteen views have in common, each asked by reflection; not the values of elements. */
class TypedArrayTest {
  private static final int LENGTH = 5;
  private static final int LONG = 200; // even bytes lie in several chunks
  private static final long FROM = 13;
  private static final int COUNT = 150;
  private static final List<String> READERS =
      List.of("get", "getBits", "getBigInteger", "real", "imag");

  @Test
  void eachClassHasItsElementType() {
    for (Class<?> type : TypedArray.class.getPermittedSubclasses()) {
      ElementType elementType = TypedArray.elementOf(type);
      assertEquals(capitalized(elementType.spelling()) + "Array", type.getSimpleName());
      TypedArray array = TypedArray.of(elementType, TestMemory.zeros(elementType.size()));
      assertSame(type, array.getClass());
      assertEquals(elementType, array.elementType());
    }
    assertEquals(
        ElementType.values().length - 1, TypedArray.class.getPermittedSubclasses().length);
  }

  @Test
  void otherClassesHaveNoElementType() {
    for (Class<?> type :
        List.of(TypedArray.class, String.class, double[].class, int.class, Buffer.class)) {
      assertNull(TypedArray.elementOf(type), type.getName());
    }
  }

  @Test
  void elementsOfTypeOtherHaveNoView() {
    assertThrows(
        IllegalArgumentException.class,
        () -> TypedArray.of(ElementType.OTHER, TestMemory.zeros(16)));
  }

  @Test
  void memoryThatEndsInAnElementIsRefused() {
    for (ElementType type : ElementType.values()) {
      if (type.size() > 1) {
        Elements memory = TestMemory.zeros(3 * type.size() - 1);
        String message =
            assertThrows(IllegalArgumentException.class, () -> TypedArray.of(type, memory))
                .getMessage();
        assertTrue(message.contains(type.spelling()), message);
        assertTrue(message.startsWith(memory.byteSize() + " bytes"), message);
      }
    }
  }

  @Test
  void sizesAreElementsAndBytes() {
    for (TypedArray array : all(LENGTH)) {
      assertEquals(LENGTH, array.size());
      assertEquals(LENGTH * array.elementType().size(), array.byteSize());
      assertEquals(array.elementType().spelling() + "[5]", array.toString());
    }
    assertEquals("float64[1000]", new Float64Array(TestMemory.zeros(8000)).toString());
  }

  @Test
  void aViewEqualsItselfOnly() {
    List<TypedArray> some = all(LENGTH);
    List<TypedArray> others = all(LENGTH);
    for (int k = 0; k < some.size(); k++) {
      assertEquals(some.get(k), some.get(k));
      assertNotEquals(some.get(k), others.get(k));
      assertEquals(System.identityHashCode(some.get(k)), some.get(k).hashCode());
    }
  }

  @Test
  void anEmptyArrayHasNoElements() throws Throwable {
    for (TypedArray array : all(0)) {
      assertEquals(0, array.size());
      assertEquals(0, array.byteSize());
      assertEquals(0, Array.getLength(call(array, "toArray")));
      assertEquals(0, Array.getLength(call(array, "toArray", 0L, 0)));
      assertEquals(0, ((Buffer) call(array, "asBuffer")).capacity());
      assertEquals(0, ((Buffer) call(array, "asBuffer", 0L, 0)).capacity());
      if (hasStream(array)) {
        assertEquals(0, streamed(array).size());
      }
      for (String reader : readers(array)) {
        assertOutOfBounds("Index 0 out of bounds for length 0", array, reader, 0L);
      }
    }
  }

  @Test
  void anIndexThatIsNoneIsSaidWithTheSize() throws Throwable {
    long[] wrong = {-1, LENGTH, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 32, 1L << 61, (1L << 32) + 1};
    for (TypedArray array : all(LENGTH)) {
      for (String reader : readers(array)) {
        call(array, reader, 0L);
        call(array, reader, LENGTH - 1L);
        for (long i : wrong) {
          assertOutOfBounds("Index " + i + " out of bounds for length 5", array, reader, i);
        }
      }
    }
  }

  @Test
  void aRangeThatLeavesTheArrayIsRefused() throws Throwable {
    for (TypedArray array : all(LENGTH)) {
      for (String method : new String[] {"toArray", "asBuffer"}) {
        call(array, method, 0L, LENGTH);
        call(array, method, (long) LENGTH, 0);
        assertOutOfBounds("length 5", array, method, -1L, 1);
        assertOutOfBounds("length 5", array, method, 0L, LENGTH + 1);
        assertOutOfBounds("length 5", array, method, LENGTH + 1L, 0);
        assertOutOfBounds("length 5", array, method, 2L, -1);
        assertOutOfBounds("length 5", array, method, 1L, Integer.MAX_VALUE);
        assertOutOfBounds("length 5", array, method, Long.MAX_VALUE, 1);
        assertOutOfBounds("length 5", array, method, 1L << 61, 1);
      }
    }
  }

  @Test
  void buffersShowTheBytesOfMemoryReadOnly() throws Throwable {
    for (TypedArray array : all(LONG)) {
      assertArrayEquals(bytes(array, 0, LONG), bytes(call(array, "asBuffer")));
      assertArrayEquals(bytes(array, FROM, COUNT), bytes(call(array, "asBuffer", FROM, COUNT)));
      Buffer buffer = (Buffer) call(array, "asBuffer", FROM, COUNT);
      assertTrue(buffer.isReadOnly());
      assertTrue(buffer.isDirect()); // no copy
    }
  }

  @Test
  void arraysAreCopiesOfTheBytesOfMemory() throws Throwable {
    for (TypedArray array : all(LONG)) {
      if (array.elementType() != ElementType.BOOL) { // a boolean[] has no bytes
        assertArrayEquals(bytes(array, 0, LONG), bytes(call(array, "toArray")));
        assertArrayEquals(bytes(array, FROM, COUNT), bytes(call(array, "toArray", FROM, COUNT)));
      }
    }
  }

  @Test
  void aStreamGivesWhatGetGives() throws Throwable {
    int streams = 0;
    for (TypedArray array : all(LENGTH)) {
      if (hasStream(array)) {
        streams++;
        List<Double> expected = new ArrayList<>();
        for (long i = 0; i < LENGTH; i++) {
          expected.add(((Number) call(array, "get", i)).doubleValue());
        }
        assertEquals(expected, streamed(array));
      }
    }
    assertEquals(2 * 11, streams); // all but bool and the complex ones, in both forms
  }

  /** Views of each type, over one buffer and over chunks, of the bytes that `byteAt` gives. */
  private static List<TypedArray> all(int length) {
    List<TypedArray> arrays = new ArrayList<>();
    for (Class<?> type : TypedArray.class.getPermittedSubclasses()) {
      ElementType elementType = TypedArray.elementOf(type);
      int byteSize = length * elementType.size();
      for (Elements memory : TestMemory.forms(byteSize, TypedArrayTest::fill)) {
        arrays.add(TypedArray.of(elementType, memory));
      }
    }
    return arrays;
  }

  private static void fill(ByteBuffer buffer) {
    while (buffer.hasRemaining()) {
      buffer.put(byteAt(buffer.position()));
    }
  }

  // Chunks differ; two 0xff in a row are the upper bytes of a NaN with a payload.
  private static byte byteAt(int offset) {
    return (byte) (offset % 5 < 2 ? 0xff : offset * 37);
  }

  /** The bytes of a part of an array of {@link #all}. */
  private static byte[] bytes(TypedArray array, long from, int count) {
    byte[] bytes = new byte[count * array.elementType().size()];
    for (int k = 0; k < bytes.length; k++) {
      bytes[k] = byteAt((int) from * array.elementType().size() + k);
    }
    return bytes;
  }

  /** The bytes of a Java array of numbers or of a typed buffer. */
  private static byte[] bytes(Object numbers) {
    ByteBuffer bytes = ByteBuffer.allocate(16 * LONG).order(ByteOrder.LITTLE_ENDIAN);
    int length = numbers instanceof Buffer b ? b.limit() : Array.getLength(numbers);
    for (int k = 0; k < length; k++) {
      if (numbers instanceof byte[] array) {
        bytes.put(array[k]);
      } else if (numbers instanceof short[] array) {
        bytes.putShort(array[k]);
      } else if (numbers instanceof int[] array) {
        bytes.putInt(array[k]);
      } else if (numbers instanceof long[] array) {
        bytes.putLong(array[k]);
      } else if (numbers instanceof float[] array) {
        bytes.putInt(Float.floatToRawIntBits(array[k]));
      } else if (numbers instanceof double[] array) {
        bytes.putLong(Double.doubleToRawLongBits(array[k]));
      } else if (numbers instanceof ByteBuffer buffer) {
        bytes.put(buffer.get(k));
      } else if (numbers instanceof ShortBuffer buffer) {
        bytes.putShort(buffer.get(k));
      } else if (numbers instanceof IntBuffer buffer) {
        bytes.putInt(buffer.get(k));
      } else if (numbers instanceof LongBuffer buffer) {
        bytes.putLong(buffer.get(k));
      } else if (numbers instanceof FloatBuffer buffer) {
        bytes.putInt(Float.floatToRawIntBits(buffer.get(k)));
      } else if (numbers instanceof DoubleBuffer buffer) {
        bytes.putLong(Double.doubleToRawLongBits(buffer.get(k)));
      } else {
        throw new AssertionError(numbers);
      }
    }
    return Arrays.copyOf(bytes.array(), bytes.position());
  }

  private static String capitalized(String word) {
    return Character.toUpperCase(word.charAt(0)) + word.substring(1);
  }

  private static List<String> readers(TypedArray array) {
    List<String> names = new ArrayList<>();
    for (Method method : array.getClass().getDeclaredMethods()) {
      if (READERS.contains(method.getName())) {
        names.add(method.getName());
      }
    }
    assertTrue(!names.isEmpty(), array.toString());
    return names;
  }

  private static boolean hasStream(TypedArray array) {
    return Arrays.stream(array.getClass().getMethods()).anyMatch(m -> m.getName().equals("stream"));
  }

  private static List<Double> streamed(TypedArray array) throws Throwable {
    List<Double> values = new ArrayList<>();
    ((BaseStream<?, ?>) call(array, "stream"))
        .iterator()
        .forEachRemaining(value -> values.add(((Number) value).doubleValue()));
    return values;
  }

  private static void assertOutOfBounds(
      String text, TypedArray array, String method, Object... arguments) {
    String call = array + "." + method + Arrays.toString(arguments);
    String message =
        assertThrows(IndexOutOfBoundsException.class, () -> call(array, method, arguments), call)
            .getMessage();
    assertTrue(message.contains(text), call + ": " + message);
  }

  /** Calls a method of the parameters (), (long) or (long, int). */
  private static Object call(TypedArray array, String name, Object... arguments) throws Throwable {
    Class<?>[] types = Arrays.copyOf(new Class<?>[] {long.class, int.class}, arguments.length);
    try {
      return array.getClass().getMethod(name, types).invoke(array, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }
}
