package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Where the bytes of values lie in the store: as every language writes them. */
class PayloadTest extends WithClient {
  private long copied() {
    return client.statistics().copiedPayloadBytes();
  }

  @Test
  void bytesAndLongTextMetTwiceAreOneObject() {
    for (Object shared : List.of(new byte[] {1}, new byte[100_000], ByteBuffer.wrap(new byte[] {1}),
        ByteBuffer.allocateDirect(100_000), "x".repeat(20_000))) {
      ObjectId id = client.putValue(List.of(shared, List.of(shared), shared));
      try (VineyardObject list = client.get(id); VineyardObject inner = list.member("__elements_-1")) {
        ObjectId first = list.members().get("__elements_-0");
        assertEquals(first, list.members().get("__elements_-2"));
        assertEquals(first, inner.members().get("__elements_-0"));
      }
      List<?> value = (List<?>) client.getValue(id);
      assertSame(value.get(0), value.get(2));
    }
  }

  @Test
  void equalBytesOfTwoArraysAreTwoObjects() {
    try (VineyardObject list = client.get(client.putValue(List.of(new byte[] {1}, new byte[] {1})))) {
      assertEquals(2, new HashSet<>(list.members().values()).size());
    }
  }

  @Test
  void aValueThatIsCopiedIsCounted() {
    ObjectId bytes = client.put(new byte[1000]);
    ObjectId text = client.putValue("x".repeat(20_000));
    ObjectId inPlace = client.putValue(List.of(ByteBuffer.wrap(new byte[70_000]), new double[10_000], "short"));
    long before = copied();
    client.getValue(inPlace);
    assertEquals(before, copied());
    client.getValue(bytes);
    assertEquals(before + 1000, copied());
    client.getValue(text);
    assertEquals(before + 21_000, copied());
    assertArrayEquals(new byte[1000], client.getBlob(bytes).toByteArray());
  }

  // Maps of shared memory of stores that this process has.
  private static long maps() throws IOException {
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
      return lines.filter(line -> line.contains("/memfd:vineyard")).count();
    }
  }

  @Test
  void whatWasCopiedLeavesNoMappingToTheCollector() throws IOException {
    client.put(new byte[100_000]);
    long before = maps();
    assertTrue(before > 0);
    for (int i = 0; i < 10; ++i) {
      try (Client other = daemon.connect()) {
        ObjectId bytes = other.put(new byte[100_000]);
        try (Blob blob = other.getBlob(bytes)) {
          assertEquals(100_000, blob.toByteArray().length);
        }
        other.getValue(bytes);
        other.getValue(other.putValue("x".repeat(100_000)));
      }
    }
    long after = maps();
    assertTrue(after <= before, () -> before + " maps before, " + after + " after");  // of other tests less
  }

  @Test
  void anArrayThatIsTheSameInBothOrdersIsInThatOfC() {
    ByteBuffer six = ByteBuffer.allocate(6);
    for (long[] shape : List.of(new long[] {6}, new long[] {1, 6}, new long[] {6, 1, 1})) {
      assertEquals("C", orderOf(client.putTensor(ElementType.UINT8, six, true, shape)));
    }
    assertEquals("C", orderOf(client.putTensor(ElementType.UINT8, ByteBuffer.allocate(0), true, 2, 0, 3)));
    assertEquals("F", orderOf(client.putTensor(ElementType.UINT8, six, true, 2, 3)));
    assertEquals("F", orderOf(client.putTensor(ElementType.UINT8, six, true, 2, 1, 3)));
    assertEquals("C", orderOf(client.putTensor(ElementType.UINT8, six, false, 2, 3)));
  }

  private String orderOf(ObjectId id) {
    try (VineyardObject array = client.get(id)) {
      return array.getString("order_");
    }
  }

  @Test
  void theStoredFormIsReadInParts() {
    ObjectId id = client.put(new byte[] {42, 43, 44});
    try (VineyardObject object = client.get(id); Blob blob = object.blob()) {
      long before = object.getLong("value_offset_");
      assertEquals(ByteBuffer.wrap(new byte[] {43, 44, (byte) 0x94, '.'}), blob.storedSlice(before + 1, 4));
      assertEquals(blob.storedBuffer().slice(2, 10), blob.storedSlice(2, 10));
      assertEquals(ByteOrder.LITTLE_ENDIAN, blob.storedSlice(0, 1).order());
      assertTrue(blob.storedSlice(0, 1).isReadOnly());
      assertEquals(0, blob.storedSlice(blob.storedSize(), 0).remaining());
      assertThrows(IndexOutOfBoundsException.class, () -> blob.storedSlice(1, blob.storedSize()));
    }
  }

  @Test
  void anArrayOfPythonsOwnElementsSaysSo() {
    ObjectId id = client.put(new ObjectMeta("vineyard::Array").setAll(Map.of("value_type_", "other", "shape_", List.of(1)))
        .set("value_type_meta_", "<M8[D]").add("buffer_", new byte[8], BlobKind.BUFFER));
    try (Tensor tensor = client.getTensor(id)) {
      assertEquals(ElementType.OTHER, tensor.elementType());
      assertEquals(8, tensor.as(ByteBuffer.class).remaining());
      var error = assertThrows(VineyardException.TypeMismatch.class, () -> tensor.as(TypedArray.class));
      assertTrue(error.getMessage().contains("type other"), error.getMessage());
    }
  }

  @Test
  void aPickleSaysThatItIsOneAndHowLong() {
    byte[] pickle = {(byte) 0x80, 5, 'N', '.'};
    ObjectId id = client.put(new ObjectMeta("vineyard::PickleBuffer").set("nbytes", 4).add("buffer_", pickle, BlobKind.BUFFER));
    for (ObjectId each : List.of(id, client.putValue(List.of(id, 1)))) {
      VineyardException error = assertThrows(VineyardException.class, () -> client.getValue(each));
      assertEquals(Status.TYPE, error.status());
      assertTrue(error.getMessage().contains("vineyard::PickleBuffer, a pickle of 4 bytes"), error.getMessage());
    }
  }
}
