package io.vineyard;

import java.nio.ByteBuffer;
import java.util.Map;
import java.util.Objects;
import java.util.stream.LongStream;

/**
 * A read-only view of an array's elements in shared memory, without a copy; one subclass for each
 * {@link ElementType}.
 *
 * <p>Elements are numbered from 0 in the order of memory, with {@code long}: an array may be longer
 * than 2 GiB. In every subclass
 *
 * <ul>
 *   <li>{@code get(i)} reads one element as the Java type that holds all its values: {@code uint8}
 *       and {@code uint16} are {@code int}, {@code uint32} is {@code long}, {@code float16} is
 *       {@code float}; {@code uint64} is {@code long} of the same bits. A complex element has
 *       {@code real(i)} and {@code imag(i)} instead;
 *   <li>{@code stream()} gives the same values, where Java has such a stream;
 *   <li>{@code asBuffer()} and {@code toArray()} show and copy many elements at their own width,
 *       bit for bit: {@code uint8} are {@code byte}, {@code uint32} are {@code int}, {@code
 *       float16} are {@code short}; complex elements are pairs, real part first.
 * </ul>
 *
 * <p>A view and its buffers are valid as long as the blob is open; see {@link Blob}. They keep the
 * memory: while one of them is reachable, a blob that nobody closed stays pinned. Safe for use by
 * many threads. Two views are equal when they are the same view.
 */
public abstract sealed class TypedArray
    permits BoolArray,
        Complex128Array,
        Complex64Array,
        Float16Array,
        Float32Array,
        Float64Array,
        Int16Array,
        Int32Array,
        Int64Array,
        Int8Array,
        Uint16Array,
        Uint32Array,
        Uint64Array,
        Uint8Array {
  private static final Map<Class<?>, ElementType> ELEMENT_OF =
      Map.ofEntries(
          Map.entry(Int8Array.class, ElementType.INT8),
          Map.entry(Int16Array.class, ElementType.INT16),
          Map.entry(Int32Array.class, ElementType.INT32),
          Map.entry(Int64Array.class, ElementType.INT64),
          Map.entry(Uint8Array.class, ElementType.UINT8),
          Map.entry(Uint16Array.class, ElementType.UINT16),
          Map.entry(Uint32Array.class, ElementType.UINT32),
          Map.entry(Uint64Array.class, ElementType.UINT64),
          Map.entry(Float16Array.class, ElementType.FLOAT16),
          Map.entry(Float32Array.class, ElementType.FLOAT32),
          Map.entry(Float64Array.class, ElementType.FLOAT64),
          Map.entry(BoolArray.class, ElementType.BOOL),
          Map.entry(Complex64Array.class, ElementType.COMPLEX64),
          Map.entry(Complex128Array.class, ElementType.COMPLEX128));

  /** The memory: element `i` lies at byte `i * elementType.size()`. */
  final Elements memory;

  private final ElementType elementType;
  private final long size;

  /** A view of all of `memory`. */
  TypedArray(ElementType elementType, Elements memory) {
    if (memory.byteSize() % elementType.size() != 0) {
      throw new IllegalArgumentException(
          "%d bytes are no whole number of %s elements of %d bytes"
              .formatted(memory.byteSize(), elementType.spelling(), elementType.size()));
    }
    this.memory = memory;
    this.elementType = elementType;
    this.size = memory.byteSize() / elementType.size();
  }

  /**
   * The view for an element type.
   *
   * @throws IllegalArgumentException for OTHER, or when the memory ends in the middle of an element
   */
  static TypedArray of(ElementType elementType, Elements memory) {
    return switch (elementType) {
      case INT8 -> new Int8Array(memory);
      case INT16 -> new Int16Array(memory);
      case INT32 -> new Int32Array(memory);
      case INT64 -> new Int64Array(memory);
      case UINT8 -> new Uint8Array(memory);
      case UINT16 -> new Uint16Array(memory);
      case UINT32 -> new Uint32Array(memory);
      case UINT64 -> new Uint64Array(memory);
      case FLOAT16 -> new Float16Array(memory);
      case FLOAT32 -> new Float32Array(memory);
      case FLOAT64 -> new Float64Array(memory);
      case BOOL -> new BoolArray(memory);
      case COMPLEX64 -> new Complex64Array(memory);
      case COMPLEX128 -> new Complex128Array(memory);
      case OTHER -> throw new IllegalArgumentException("elements of type other have no view");
    };
  }

  /** The element type of a view's class; null for any other class. */
  static ElementType elementOf(Class<?> type) {
    return ELEMENT_OF.get(type);
  }

  /** A view was asked for of a class that has none. */
  static UnsupportedOperationException noView(String what, Class<?> type) {
    String instead = java.nio.Buffer.class.isAssignableFrom(type)
        ? ", or an array of the right type, such as Float64Array, whose asBuffer() is a DoubleBuffer" : ", or an array, such as Float64Array";
    return new UnsupportedOperationException(
        what + ": no view as " + type.getTypeName() + "; ask for ByteBuffer" + instead);
  }

  /**
   * The type of the elements.
   *
   * @return never {@link ElementType#OTHER}
   */
  public final ElementType elementType() {
    return elementType;
  }

  /**
   * The length of the array.
   *
   * @return elements
   */
  public final long size() {
    return size;
  }

  /**
   * The length of the array in memory.
   *
   * @return bytes
   */
  public final long byteSize() {
    return memory.byteSize();
  }

  /**
   * What this is, without its elements.
   *
   * @return for example {@code "float64[1000]"}
   */
  @Override
  public final String toString() {
    return elementType.spelling() + "[" + size + "]";
  }

  /** `i`, when an element has that index. */
  final long checked(long i) {
    return Objects.checkIndex(i, size);
  }

  /** All indices, for the streams. */
  final LongStream indices() {
    return LongStream.range(0, size);
  }

  /** The bytes of a part, as a new buffer. */
  final ByteBuffer bytes(long from, long count) {
    Objects.checkFromIndexSize(from, count, size);
    long length = count * elementType.size();
    if (length > Integer.MAX_VALUE) {
      throw tooLong(count, "a buffer", "bytes", "asBuffer");
    }
    return memory.slice(from * elementType.size(), (int) length);
  }

  /** The size, when it is one that a Java array could have. */
  final int count() {
    if (size > Integer.MAX_VALUE) {
      throw tooLong(size, "an array", "elements", "toArray");
    }
    return (int) size;
  }

  /** The length of a Java array for a part: elements, or twice as many for complex ones. */
  final int arrayLength(long from, int count) {
    Objects.checkFromIndexSize(from, count, size);
    if ((long) count * slots() > Integer.MAX_VALUE) {
      throw tooLong(count, "an array", "elements", "toArray");
    }
    return count * slots();
  }

  /** Takes contiguous elements of a part; the first of them belongs at index `at` of the array. */
  @FunctionalInterface
  interface Copier {
    void copy(ByteBuffer elements, int at);
  }

  /** Gives `copier` the elements of a part, which {@link #arrayLength} has checked. */
  final void copy(long from, int count, Copier copier) {
    int width = elementType.size();
    int slotBytes = width / slots();
    memory.forEachPart(
        from * width,
        (long) count * width,
        (part, done) -> copier.copy(part, (int) (done / slotBytes)));
  }

  private int slots() {
    boolean complex = elementType == ElementType.COMPLEX64 || elementType == ElementType.COMPLEX128;
    return complex ? 2 : 1;
  }

  private UnsupportedOperationException tooLong(
      long count, String target, String unit, String method) {
    return new UnsupportedOperationException(
        "%s: %d elements do not fit in %s of Java, which has at most %d %s; parts: %s(from, count)"
            .formatted(this, count, target, Integer.MAX_VALUE, unit, method));
  }
}
