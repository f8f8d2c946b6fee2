package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.math.BigInteger;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongFunction;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** Edge values of each element type, element by element, from one buffer and from chunks. */
class TypedArrayValuesTest {
  // Values are repeated to this length, so that even bytes lie in several chunks.
  private static final int LENGTH = 200;

  @Test
  void int8FromLeastToGreatest() {
    long[] values = repeated(Byte.MIN_VALUE, -1, 0, 1, Byte.MAX_VALUE);
    for (Elements memory : forms(Byte.BYTES, values)) {
      assertReads(values, i -> (long) new Int8Array(memory).get(i));
      assertArrayEquals(values, new Int8Array(memory).stream().asLongStream().toArray());
    }
  }

  @Test
  void int16FromLeastToGreatest() {
    long[] values = repeated(Short.MIN_VALUE, -1, 0, 1, Short.MAX_VALUE);
    for (Elements memory : forms(Short.BYTES, values)) {
      assertReads(values, i -> (long) new Int16Array(memory).get(i));
      assertArrayEquals(values, new Int16Array(memory).stream().asLongStream().toArray());
    }
  }

  @Test
  void int32FromLeastToGreatest() {
    long[] values = repeated(Integer.MIN_VALUE, -1, 0, 1, Integer.MAX_VALUE);
    for (Elements memory : forms(Integer.BYTES, values)) {
      assertReads(values, i -> (long) new Int32Array(memory).get(i));
      assertArrayEquals(values, new Int32Array(memory).stream().asLongStream().toArray());
    }
  }

  @Test
  void int64FromLeastToGreatest() {
    long[] values = repeated(Long.MIN_VALUE, -1, 0, 1, Long.MAX_VALUE);
    for (Elements memory : forms(Long.BYTES, values)) {
      assertReads(values, i -> new Int64Array(memory).get(i));
      assertArrayEquals(values, new Int64Array(memory).stream().toArray());
    }
  }

  @Test
  void uint8FromLeastToGreatest() {
    long[] values = repeated(0, 1, 127, 128, 255);
    for (Elements memory : forms(Byte.BYTES, values)) {
      assertReads(values, i -> (long) new Uint8Array(memory).get(i));
      assertArrayEquals(values, new Uint8Array(memory).stream().asLongStream().toArray());
    }
  }

  @Test
  void uint16FromLeastToGreatest() {
    long[] values = repeated(0, 1, 32_767, 32_768, 65_535);
    for (Elements memory : forms(Short.BYTES, values)) {
      assertReads(values, i -> (long) new Uint16Array(memory).get(i));
      assertArrayEquals(values, new Uint16Array(memory).stream().asLongStream().toArray());
    }
  }

  @Test
  void uint32FromLeastToGreatest() {
    long[] values = repeated(0, 1, 2_147_483_647L, 2_147_483_648L, 4_294_967_295L);
    for (Elements memory : forms(Integer.BYTES, values)) {
      assertReads(values, i -> new Uint32Array(memory).get(i));
      assertArrayEquals(values, new Uint32Array(memory).stream().toArray());
    }
  }

  @Test
  void uint64FromLeastToGreatest() {
    long[] bits = repeated(0, 1, Long.MAX_VALUE, Long.MIN_VALUE, -1);
    List<BigInteger> values =
        List.of(
            BigInteger.ZERO,
            BigInteger.ONE,
            new BigInteger("9223372036854775807"),
            new BigInteger("9223372036854775808"),
            new BigInteger("18446744073709551615"));
    for (Elements memory : forms(Long.BYTES, bits)) {
      Uint64Array array = new Uint64Array(memory);
      assertReads(bits, array::get);
      assertArrayEquals(bits, array.stream().toArray());
      for (int i = 0; i < LENGTH; i++) {
        assertEquals(values.get(i % values.size()), array.getBigInteger(i));
      }
    }
  }

  @Test
  void float16() { // its 65,536 values: Float16ArrayTest
    long[] bits = repeated(0x0000, 0x8000, 0x3c00, 0xfbff, 0x0001, 0x7c00, 0xfc00, 0xfe01);
    float[] values = {0, -0.0f, 1, -65504, 0x1p-24f, 1 / 0f, -1 / 0f, Float.NaN};
    for (Elements memory : forms(Short.BYTES, bits)) {
      Float16Array array = new Float16Array(memory);
      assertReads(bits, i -> (long) Short.toUnsignedInt(array.getBits(i)));
      double[] streamed = array.stream().toArray();
      for (int i = 0; i < LENGTH; i++) {
        assertEquals(values[i % values.length], array.get(i));
        assertEquals(values[i % values.length], streamed[i]);
      }
    }
  }

  @Test
  void float32WithPayloadsOfNaN() {
    int[] special = {0x7fc00000, 0xffc12345, 0x7f800001, 0xffbfffff}; // the last two signal
    float[] plain = {
      0, -0.0f, 1, -Float.MAX_VALUE, Float.MAX_VALUE, Float.MIN_VALUE, Float.MIN_NORMAL, 1 / 0f,
      -1 / 0f
    };
    long[] bits = new long[plain.length + special.length];
    Arrays.setAll(
        bits,
        k -> k < plain.length ? Float.floatToRawIntBits(plain[k]) : special[k - plain.length]);
    long[] repeated = repeated(bits);
    for (Elements memory : forms(Float.BYTES, repeated)) {
      Float32Array array = new Float32Array(memory);
      assertReads(repeated, i -> (long) array.getBits(i));
      double[] streamed = array.stream().toArray();
      for (int i = 0; i < LENGTH; i++) {
        float expected = Float.intBitsToFloat((int) repeated[i]);
        assertEquals(expected, array.get(i));
        assertEquals(expected, streamed[i]);
      }
      assertEquals(0xffc12345, Float.floatToRawIntBits(array.get(plain.length + 1)));
    }
  }

  @Test
  void float64WithPayloadsOfNaN() {
    long[] special = {
      0x7ff8000000000000L, 0xfff8123456789abcL, 0x7ff0000000000001L, 0xfff7ffffffffffffL
    };
    double[] plain = {
      0, -0.0, 1, -Double.MAX_VALUE, Double.MAX_VALUE, Double.MIN_VALUE, Double.MIN_NORMAL, 1 / 0.0,
      -1 / 0.0
    };
    long[] bits = new long[plain.length + special.length];
    Arrays.setAll(
        bits,
        k -> k < plain.length ? Double.doubleToRawLongBits(plain[k]) : special[k - plain.length]);
    long[] repeated = repeated(bits);
    for (Elements memory : forms(Double.BYTES, repeated)) {
      Float64Array array = new Float64Array(memory);
      assertReads(repeated, array::getBits);
      double[] streamed = array.stream().toArray();
      for (int i = 0; i < LENGTH; i++) {
        double expected = Double.longBitsToDouble(repeated[i]);
        assertEquals(expected, array.get(i));
        assertEquals(expected, streamed[i]);
      }
      assertEquals(
          0xfff8123456789abcL, Double.doubleToRawLongBits(array.get(plain.length + 1)));
    }
  }

  @Test
  void boolIsFalseForZeroOnly() {
    long[] bytes = repeated(0, 1, 0, 0, 255, 128, 2);
    boolean[] expected = new boolean[LENGTH];
    for (int i = 0; i < LENGTH; i++) {
      expected[i] = bytes[i] != 0;
    }
    for (Elements memory : forms(1, bytes)) {
      BoolArray array = new BoolArray(memory);
      assertReads(bytes, i -> array.get(i) ? bytes[(int) i] : 0);
      assertArrayEquals(expected, array.toArray());
      assertArrayEquals(Arrays.copyOfRange(expected, 13, 163), array.toArray(13, 150));
    }
  }

  @Test
  void complex64HasItsRealPartFirst() {
    float[] parts = {1.5f, -2.5f, -0.0f, 0, 1 / 0f, -1 / 0f, Float.NaN, Float.MIN_VALUE};
    long[] bits = new long[parts.length];
    Arrays.setAll(bits, k -> Float.floatToRawIntBits(parts[k]));
    for (Elements memory : forms(Float.BYTES, repeated(bits))) {
      Complex64Array array = new Complex64Array(memory);
      for (int i = 0; i < LENGTH / 2; i++) {
        assertEquals(parts[2 * i % parts.length], array.real(i));
        assertEquals(parts[(2 * i + 1) % parts.length], array.imag(i));
      }
      assertArrayEquals(new float[] {-0.0f, 0, 1 / 0f, -1 / 0f}, array.toArray(1, 2));
    }
  }

  @Test
  void complex128HasItsRealPartFirst() {
    double[] parts = {1.5, -2.5, -0.0, 0, 1 / 0.0, -1 / 0.0, Double.NaN, Double.MIN_VALUE};
    long[] bits = new long[parts.length];
    Arrays.setAll(bits, k -> Double.doubleToRawLongBits(parts[k]));
    for (Elements memory : forms(Double.BYTES, repeated(bits))) {
      Complex128Array array = new Complex128Array(memory);
      for (int i = 0; i < LENGTH / 2; i++) {
        assertEquals(parts[2 * i % parts.length], array.real(i));
        assertEquals(parts[(2 * i + 1) % parts.length], array.imag(i));
      }
      assertArrayEquals(new double[] {-0.0, 0, 1 / 0.0, -1 / 0.0}, array.toArray(1, 2));
    }
  }

  private static void assertReads(long[] expected, LongFunction<Long> reader) {
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], reader.apply(i));
    }
  }

  private static long[] repeated(long... values) {
    return LongStream.range(0, LENGTH).map(i -> values[(int) i % values.length]).toArray();
  }

  /** The low bytes of each value, the lowest first. */
  private static List<Elements> forms(int width, long[] values) {
    return TestMemory.forms(
        width * values.length,
        buffer -> {
          for (long value : values) {
            for (int k = 0; k < width; k++) {
              buffer.put((byte) (value >>> 8 * k));
            }
          }
        });
  }
}
