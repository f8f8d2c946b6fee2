package io.vineyard;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;

/** The metadata of arrays: what Python writes for the like, field for field. In the store numbers are little-endian. */
final class ArrayBuilder {
  private ArrayBuilder() {}

  /** Whether {@link #build} takes it: an array of primitives but char, or a buffer of numbers that are wider than a byte. */
  static boolean isArray(Object value) {
    Class<?> type = value.getClass();
    return type.isArray() && type.getComponentType().isPrimitive() && type != char[].class
        || value instanceof Buffer && !(value instanceof ByteBuffer) && !(value instanceof CharBuffer);
  }

  /** An array of Java or what remains of a buffer, of one dimension (null) or of this shape (in C's order). */
  static ObjectMeta build(Object value, long[] shape) {
    if (value instanceof byte[] bytes) {
      return build(ElementType.INT8, bytes.length, shape, to -> to.put(bytes));
    }
    if (value instanceof short[] numbers) {
      return build(ElementType.INT16, numbers.length, shape, to -> to.asShortBuffer().put(numbers));
    }
    if (value instanceof int[] numbers) {
      return build(ElementType.INT32, numbers.length, shape, to -> to.asIntBuffer().put(numbers));
    }
    if (value instanceof long[] numbers) {
      return build(ElementType.INT64, numbers.length, shape, to -> to.asLongBuffer().put(numbers));
    }
    if (value instanceof float[] numbers) {
      return build(ElementType.FLOAT32, numbers.length, shape, to -> to.asFloatBuffer().put(numbers));
    }
    if (value instanceof double[] numbers) {
      return build(ElementType.FLOAT64, numbers.length, shape, to -> to.asDoubleBuffer().put(numbers));
    }
    if (value instanceof boolean[] truths) {
      return build(ElementType.BOOL, truths.length, shape, to -> {
        for (boolean truth : truths) {
          to.put((byte) (truth ? 1 : 0));
        }
      });
    }
    return ofBuffer(value, shape);
  }

  // A buffer says in which order its bytes lie, and is copied number by number where that is another one.
  private static ObjectMeta ofBuffer(Object value, long[] shape) {
    if (value instanceof ShortBuffer numbers) {
      ShortBuffer own = numbers.slice();
      return build(ElementType.INT16, own.remaining(), shape, to -> to.asShortBuffer().put(own.duplicate()));
    }
    if (value instanceof IntBuffer numbers) {
      IntBuffer own = numbers.slice();
      return build(ElementType.INT32, own.remaining(), shape, to -> to.asIntBuffer().put(own.duplicate()));
    }
    if (value instanceof LongBuffer numbers) {
      LongBuffer own = numbers.slice();
      return build(ElementType.INT64, own.remaining(), shape, to -> to.asLongBuffer().put(own.duplicate()));
    }
    if (value instanceof FloatBuffer numbers) {
      FloatBuffer own = numbers.slice();
      return build(ElementType.FLOAT32, own.remaining(), shape, to -> to.asFloatBuffer().put(own.duplicate()));
    }
    if (value instanceof DoubleBuffer numbers) {
      DoubleBuffer own = numbers.slice();
      return build(ElementType.FLOAT64, own.remaining(), shape, to -> to.asDoubleBuffer().put(own.duplicate()));
    }
    if (value instanceof ByteBuffer) {
      throw new IllegalArgumentException("put: a ByteBuffer does not say of what type its elements are; "
          + "give an ElementType with it, or a buffer of numbers, such as asDoubleBuffer()");
    }
    throw new IllegalArgumentException("put: a " + value.getClass().getTypeName() + " is no array of numbers");
  }

  private static ObjectMeta build(ElementType element, int length, long[] shape, Consumer<ByteBuffer> fill) {
    long bytes = (long) length * element.size();
    if (bytes > Integer.MAX_VALUE) {
      throw new IllegalArgumentException("put: an array of " + bytes + " bytes; above 2 GiB write a BlobWriter");
    }
    return header(element, bytes, shape == null ? new long[] {length} : shape, false).add("buffer_", (int) bytes, fill);
  }

  /** An array of these little-endian bytes. */
  static ObjectMeta ofBytes(ElementType element, ByteBuffer bytes, long[] shape, boolean fortran) {
    ObjectMeta made = header(element, bytes.remaining(), shape, fortran);
    // Every new buffer says so, whatever lies in it: nobody but the caller knows.
    if (element.size() > 1 && bytes.order() != ByteOrder.LITTLE_ENDIAN && bytes.hasRemaining()) {
      throw new IllegalArgumentException("put: a ByteBuffer that says BIG_ENDIAN, as every new one does, for elements of type "
          + element.spelling() + ", which are little-endian in the store. If its bytes are, say bytes.order(ByteOrder.LITTLE_ENDIAN)"
          + "; if they are not, give the numbers, such as bytes.asDoubleBuffer(), which are put in the right order");
    }
    return made.add("buffer_", bytes, BlobKind.BUFFER);
  }

  /** An array without its buffer. */
  static ObjectMeta header(ElementType element, long byteSize, long[] shape, boolean fortran) {
    Objects.requireNonNull(element, "element");
    Objects.requireNonNull(shape, "shape");
    if (element == ElementType.OTHER) {
      throw new IllegalArgumentException("put: an array of elements that only Python knows");
    }
    long wanted = element.size();
    List<Object> sizes = new ArrayList<>();
    for (long size : shape) {
      if (size < 0) {
        throw new IllegalArgumentException("put: an array of shape " + Arrays.toString(shape) + "; a size is not negative");
      }
      if (size != 0 && wanted > Long.MAX_VALUE / size) {
        throw new IllegalArgumentException("put: an array of " + element.spelling() + Arrays.toString(shape)
            + " has more than 2^63 bytes, not " + byteSize);
      }
      wanted *= size;
      sizes.add(size);
    }
    if (wanted != byteSize) {
      throw new IllegalArgumentException("put: an array of " + element.spelling() + Arrays.toString(shape) + " has " + wanted
          + " bytes, not " + byteSize);
    }
    return new ObjectMeta(shape.length == 1 ? "vineyard::Array" : "vineyard::Tensor")
        .set("value_type_", element.spelling())
        .set("shape_", sizes)
        .set("order_", fortran && !isBoth(shape) ? "F" : "C")
        .set("value_type_meta_", descriptor(element))
        .set("partition_index_", List.of());
  }

  // Whether elements lie the same in both orders: C is said of these.
  static boolean isBoth(long[] shape) {
    return Arrays.stream(shape).filter(size -> size != 1).count() < 2 || Arrays.stream(shape).anyMatch(size -> size == 0);
  }

  // numpy's name of the type: byte order, kind, bytes.
  private static String descriptor(ElementType element) {
    String spelling = element.spelling();
    String kind = element == ElementType.BOOL ? "b" : spelling.substring(0, 1);
    return (element.size() == 1 ? "|" : "<") + kind + element.size();
  }
}
