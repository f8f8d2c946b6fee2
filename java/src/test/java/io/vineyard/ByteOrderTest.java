package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Numbers are little-endian in the store, whatever a buffer says: converted, or refused, and never another number. */
class ByteOrderTest extends WithClient {
  private static List<ByteBuffer> buffers(int size) {
    List<ByteBuffer> all = new ArrayList<>();
    for (ByteOrder order : List.of(ByteOrder.BIG_ENDIAN, ByteOrder.LITTLE_ENDIAN)) {
      all.add(ByteBuffer.allocate(size).order(order));
      all.add(ByteBuffer.allocateDirect(size).order(order));
    }
    return all;
  }

  private void assertNumbers(double[] wanted, ElementType type, Buffer numbers) {
    int position = numbers.position();
    List<ObjectId> ids = List.of(client.putTensor(numbers, wanted.length), client.putTensor(numbers, 1, wanted.length), client.putValue(numbers));
    for (ObjectId id : ids) {
      try (Tensor tensor = client.getTensor(id)) {
        assertEquals(type, tensor.elementType());
        assertEquals(id.equals(ids.get(1)) ? 2 : 1, tensor.dimensions());
        TypedArray array = tensor.as(TypedArray.class);
        for (int i = 0; i < wanted.length; ++i) {
          assertEquals(wanted[i], switch (type) {
            case INT16 -> ((Int16Array) array).get(i);
            case INT32 -> ((Int32Array) array).get(i);
            case INT64 -> ((Int64Array) array).get(i);
            case FLOAT32 -> ((Float32Array) array).get(i);
            default -> ((Float64Array) array).get(i);
          });
        }
      }
    }
    assertEquals(position, numbers.position());
  }

  @Test
  void buffersOfNumbersAreNumbersInEitherOrder() {
    for (int count : new int[] {3, 20_000}) {
      double[] wanted = new double[count - 1];
      for (int i = 0; i < wanted.length; ++i) {
        wanted[i] = i % 1000 - 258;
      }
      for (ByteBuffer bytes : buffers(8 * count)) {  // what lies before the position is not put
        bytes.asShortBuffer().put(0, shorts(wanted));
        assertNumbers(wanted, ElementType.INT16, bytes.asShortBuffer().position(1).limit(count));
        for (int i = 0; i < wanted.length; ++i) {
          bytes.putInt(4 + 4 * i, (int) wanted[i]);
        }
        assertNumbers(wanted, ElementType.INT32, bytes.asIntBuffer().position(1).limit(count));
        for (int i = 0; i < wanted.length; ++i) {
          bytes.putLong(8 + 8 * i, (long) wanted[i]);
        }
        assertNumbers(wanted, ElementType.INT64, bytes.asLongBuffer().position(1));
        for (int i = 0; i < wanted.length; ++i) {
          bytes.putFloat(4 + 4 * i, (float) wanted[i]);
        }
        assertNumbers(wanted, ElementType.FLOAT32, bytes.asFloatBuffer().position(1).limit(count));
        for (int i = 0; i < wanted.length; ++i) {
          bytes.putDouble(8 + 8 * i, wanted[i]);
        }
        assertNumbers(wanted, ElementType.FLOAT64, bytes.asDoubleBuffer().position(1));
      }
    }
  }

  private static short[] shorts(double[] wanted) {
    short[] all = new short[wanted.length + 1];
    for (int i = 0; i < wanted.length; ++i) {
      all[i + 1] = (short) wanted[i];
    }
    return all;
  }

  @Test
  void bytesThatSayBigEndianAreNoNumbersUntilTheirOwnerHasSaidWhich() {
    ByteBuffer bytes = ByteBuffer.allocate(16).putDouble(1.5).putDouble(-2).flip();
    var error = assertThrows(IllegalArgumentException.class, () -> client.putTensor(ElementType.FLOAT64, bytes, false, 2));
    for (String said : List.of("BIG_ENDIAN", "float64", "bytes.order(ByteOrder.LITTLE_ENDIAN)", "asDoubleBuffer()")) {
      assertTrue(error.getMessage().contains(said), error.getMessage());
    }
    try (Tensor tensor = client.getTensor(client.putTensor(bytes.asDoubleBuffer(), 2))) {
      assertArrayEquals(new double[] {1.5, -2}, tensor.as(Float64Array.class).toArray());
    }
    ByteBuffer little = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putDouble(1.5).putDouble(-2).flip();
    try (Tensor tensor = client.getTensor(client.putTensor(ElementType.FLOAT64, little, false, 2))) {
      assertArrayEquals(new double[] {1.5, -2}, tensor.as(Float64Array.class).toArray());
    }
    for (ElementType oneByte : List.of(ElementType.INT8, ElementType.UINT8, ElementType.BOOL)) {
      client.putTensor(oneByte, bytes, false, 16);
    }
    var untyped = assertThrows(IllegalArgumentException.class, () -> client.putTensor(bytes, 2));
    assertTrue(untyped.getMessage().contains("ElementType"), untyped.getMessage());
    assertThrows(VineyardException.TypeMismatch.class, () -> client.putValue(CharBuffer.wrap("text")));
  }

  @Test
  void bytesWithoutATypeAreAsTheyLie() {
    for (ByteOrder order : List.of(ByteOrder.BIG_ENDIAN, ByteOrder.LITTLE_ENDIAN)) {
      ByteBuffer bytes = ByteBuffer.wrap(new byte[] {1, 2, 3, 4}).order(order);
      for (ObjectId id : List.of(client.putValue(bytes), client.put(bytes, BlobKind.BUFFER),
          client.put(new ObjectMeta("t").add("m", bytes, BlobKind.BUFFER)))) {
        try (VineyardObject object = client.get(id); Blob blob = id.isBlob() ? object.blob() : object.memberBlob("m")) {
          assertArrayEquals(new byte[] {1, 2, 3, 4}, blob.toByteArray());
        }
      }
    }
  }
}
