package io.vineyard;

import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * The type of an array's elements, little-endian in memory; name and number are those of C, C++ and
 * Python ({@code VINEYARD_ELEMENT_*}).
 */
public enum ElementType {
  /** What is none of these: known to Python only. Such an array has no {@link TypedArray}. */
  OTHER(0, "other", 0),
  /** 8-bit integer. */
  INT8(1, "int8", 1),
  /** 16-bit integer. */
  INT16(2, "int16", 2),
  /** 32-bit integer. */
  INT32(3, "int32", 4),
  /** 64-bit integer. */
  INT64(4, "int64", 8),
  /** 8-bit integer without sign. */
  UINT8(5, "uint8", 1),
  /** 16-bit integer without sign. */
  UINT16(6, "uint16", 2),
  /** 32-bit integer without sign. */
  UINT32(7, "uint32", 4),
  /** 64-bit integer without sign. */
  UINT64(8, "uint64", 8),
  /** IEEE 754 binary16. */
  FLOAT16(9, "float16", 2),
  /** IEEE 754 binary32. */
  FLOAT32(10, "float32", 4),
  /** IEEE 754 binary64. */
  FLOAT64(11, "float64", 8),
  /** One byte, 0 is false. */
  BOOL(12, "bool", 1),
  /** Two {@code float32}: real part, imaginary part. */
  COMPLEX64(13, "complex64", 8),
  /** Two {@code float64}: real part, imaginary part. */
  COMPLEX128(14, "complex128", 16);

  private static final ElementType[] ALL = values();
  private static final Map<String, ElementType> BY_SPELLING =
      Arrays.stream(ALL).collect(Collectors.toMap(ElementType::spelling, Function.identity()));

  private final int number;
  private final String spelling;
  private final int size;

  ElementType(int number, String spelling, int size) {
    this.number = number;
    this.spelling = spelling;
    this.size = size;
  }

  /**
   * The number of this type in the C interface.
   *
   * @return the value of {@code VINEYARD_ELEMENT_*}
   */
  public int number() {
    return number;
  }

  /**
   * The spelling of this type in metadata, the field {@code value_type_}.
   *
   * @return for example {@code "float64"}
   */
  public String spelling() {
    return spelling;
  }

  /**
   * The size of one element.
   *
   * @return bytes; 0 for {@link #OTHER}, whose elements Java does not know
   */
  public int size() {
    return size;
  }

  /**
   * The type with a number of the C interface.
   *
   * @param number a value of {@code VINEYARD_ELEMENT_*}
   * @return the type; {@link #OTHER} for a number that is none
   */
  public static ElementType of(int number) {
    for (ElementType type : ALL) {
      if (type.number == number) {
        return type;
      }
    }
    return OTHER;
  }

  /**
   * The type with a spelling.
   *
   * @param spelling as {@link #spelling()} returns it
   * @return the type; {@link #OTHER} for a spelling that is none
   */
  public static ElementType of(String spelling) {
    return BY_SPELLING.getOrDefault(Objects.requireNonNull(spelling, "spelling"), OTHER);
  }
}
