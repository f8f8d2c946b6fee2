package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import org.junit.jupiter.api.Test;

/** Halves as floats: the arithmetic of IEEE 754 over all of them, and values that people know. */
class Float16ArrayTest {
  @Test
  void eachOfAllHalvesIsTheFloatOfTheSameValue() {
    int count = 1 << Short.SIZE;
    Elements memory =
        TestMemory.forms(
                count * Short.BYTES,
                buffer -> {
                  for (int bits = 0; bits < count; bits++) {
                    buffer.putShort((short) bits);
                  }
                })
            .get(0);
    Float16Array halves = new Float16Array(memory);
    assertEquals(count, halves.size());
    for (int bits = 0; bits < count; bits++) {
      assertEquals((short) bits, halves.getBits(bits));
      // By bits: -0.0 is not 0.0, and a NaN has a payload.
      assertEquals(expectedBits(bits), Float.floatToRawIntBits(halves.get(bits)));
    }
  }

  @Test
  void halvesThatAreWrittenInBooks() {
    Map<Integer, Float> books =
        Map.ofEntries(
            Map.entry(0x0000, 0.0f),
            Map.entry(0x8000, -0.0f),
            Map.entry(0x0001, 5.9604645e-8f), // the least above 0
            Map.entry(0x03ff, 6.097555e-5f), // the greatest subnormal
            Map.entry(0x0400, 6.1035156e-5f), // the least normal
            Map.entry(0x3555, 0.33325195f),
            Map.entry(0x3bff, 0.9995117f),
            Map.entry(0x3c00, 1.0f),
            Map.entry(0x3c01, 1.0009766f),
            Map.entry(0xc000, -2.0f),
            Map.entry(0x7bff, 65504.0f), // the greatest
            Map.entry(0x7c00, Float.POSITIVE_INFINITY),
            Map.entry(0xfc00, Float.NEGATIVE_INFINITY));
    books.forEach(
        (bits, value) -> assertEquals(value, Float16Array.toFloat(bits.shortValue())));
  }

  /** The definition, (-1)^sign * 2^(exponent - 15) * (1 + fraction / 1024), and its exceptions. */
  private static int expectedBits(int bits) {
    int exponent = bits >> 10 & 0x1f;
    double fraction = (bits & 0x3ff) / 1024.0;
    boolean negative = bits >> 15 != 0;
    if (exponent == 31 && fraction != 0) { // NaN: sign and payload move to the upper end
      return (negative ? 0xff800000 : 0x7f800000) | (bits & 0x3ff) << 13;
    }
    double value =
        exponent == 31
            ? Double.POSITIVE_INFINITY
            : exponent == 0
                ? Math.pow(2, -14) * fraction
                : Math.pow(2, exponent - 15) * (1 + fraction);
    return Float.floatToRawIntBits((float) (negative ? -value : value));
  }
}
