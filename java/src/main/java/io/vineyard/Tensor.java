package io.vineyard;

import io.vineyard.internal.Pin;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Objects;

/**
 * An array in shared memory ({@code vineyard::Array}, {@code vineyard::Tensor}), read in place: element type, shape,
 * order, and its elements through {@link #as}. Thread-safe. Its bytes stay while it is open, as a {@link Blob}'s.
 */
public final class Tensor implements AutoCloseable {
  private final ObjectId id;
  private final Blob blob;
  private final ElementType elementType;
  private final boolean fortran;
  private final long offset, byteSize, size;
  private final long[] shape;

  /**
   * What vy_object_tensor has answered: handle of the buffer's blob, which the pin is to hold, its id, address and size, element,
   * fortran, offset, bytes, sizes. Until the pin holds the handle, nothing may be called.
   */
  static final class Answer {
    final Pin pin = new Pin();
    long[] numbers;
  }

  /** Of an answer whose pin holds the blob. */
  Tensor(ObjectId id, Answer tensor) {
    long[] answer = tensor.numbers;
    this.id = id;
    this.blob = new Blob(new ObjectId(answer[1]), tensor.pin.locate(answer[2], answer[3]));
    this.elementType = ElementType.of((int) answer[4]);
    this.offset = answer[6];
    this.byteSize = answer[7];
    this.shape = Arrays.copyOfRange(answer, 8, answer.length);
    this.fortran = answer[5] != 0 && !ArrayBuilder.isBoth(shape);
    this.size = product(shape);
    // Of elements that Java does not know the library has not compared shape and bytes.
    if (size < 0 || elementType == ElementType.OTHER && size > byteSize) {
      blob.close();
      throw VineyardException.of(Status.CORRUPT,
          "array " + id + ": its shape " + Arrays.toString(shape) + " has more elements than there are bytes, " + byteSize);
    }
  }

  // -1: more than 2^63.
  private static long product(long[] shape) {
    long size = 1;
    for (long each : shape) {
      if (each == 0) {
        return 0;
      }
      size = size < 0 || size > Long.MAX_VALUE / each ? -1 : size * each;
    }
    return size;
  }

  /**
   * The id of the array.
   *
   * @return an object's id
   */
  public ObjectId id() {
    return id;
  }

  /**
   * The type of its elements.
   *
   * @return {@link ElementType#OTHER} for one that only Python knows
   */
  public ElementType elementType() {
    return elementType;
  }

  /**
   * Its size in each dimension.
   *
   * @return elements; empty for an array of no dimensions, which has one element
   */
  public long[] shape() {
    return shape.clone();
  }

  /**
   * The number of its dimensions.
   *
   * @return 0 or more
   */
  public int dimensions() {
    return shape.length;
  }

  /**
   * Whether the first index varies fastest in memory.
   *
   * @return true: Fortran's order; false: C's, the last index varies fastest, also where both are true (one dimension, no
   *     elements)
   */
  public boolean isFortran() {
    return fortran;
  }

  /**
   * The number of its elements.
   *
   * @return the product of its shape
   */
  public long size() {
    return size;
  }

  /**
   * The bytes of its elements.
   *
   * @return bytes
   */
  public long byteSize() {
    return byteSize;
  }

  /**
   * The blob that its elements lie in.
   *
   * @return this array's own: to close it is to close the array
   */
  public Blob blob() {
    return blob;
  }

  /**
   * Its elements in the order of memory, in place.
   *
   * @param <T> what is wanted
   * @param type the class for its element type, such as {@link Float64Array}, {@link TypedArray} for whichever that is,
   *     or {@link ByteBuffer}
   * @return a view
   * @throws VineyardException.TypeMismatch its elements are of another type
   * @throws UnsupportedOperationException there is no view of that class; the text says of which there are
   * @throws IllegalStateException it is closed
   * @throws IllegalArgumentException a {@link ByteBuffer} of more than 2 GiB
   */
  public <T> T as(Class<T> type) {
    if (blob.isClosed()) {
      throw new IllegalStateException("array " + id + ": it is closed, get it again");
    }
    if (type == ByteBuffer.class) {
      return type.cast(blob.slice(offset, byteSize));
    }
    if (type != TypedArray.class) {
      ElementType wanted = TypedArray.elementOf(Objects.requireNonNull(type, "type"));
      if (wanted == null) {
        throw TypedArray.noView("array " + id, type);
      }
      if (wanted != elementType) {
        throw VineyardException.of(Status.TYPE,
            "array " + id + ": its elements are " + elementType.spelling() + ", not " + wanted.spelling());
      }
    } else if (elementType == ElementType.OTHER) {
      throw VineyardException.of(Status.TYPE,
          "array " + id + ": its elements are of type other, which only Python knows; see the field value_type_meta_");
    }
    return type.cast(blob.array(elementType, offset, byteSize));
  }

  /** Gives the bytes back: nobody reads on in views of this array. Closing twice is allowed. */
  @Override
  public void close() {
    blob.close();
  }

  @Override
  public String toString() {
    return "Tensor[" + id + ", " + elementType.spelling() + Arrays.toString(shape) + (blob.isClosed() ? ", closed]" : "]");
  }
}
