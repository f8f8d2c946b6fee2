package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What a put, a delete, a get and a list can be told, beside the object. */
class OptionsTest extends WithClient {
  private boolean isPersisted(ObjectId id) {
    try (VineyardObject object = client.get(id)) {
      return object.isPersisted();
    }
  }

  @Test
  void aValueIsPutAndGotByName() {
    ObjectId id = client.putValue(Map.of("rows", 3), "table");
    assertEquals(id, client.getName("table").id());
    assertEquals(Map.of("rows", 3L), client.getValue("table"));
    try (VineyardObject object = client.get("table")) {
      assertEquals(id, object.id());
    }
    var taken = assertThrows(VineyardException.AlreadyExists.class, () -> client.putValue(1, "table"));
    assertTrue(taken.getMessage().contains(id.toString()), taken.getMessage());
    assertNull(taken.stored());
    client.putValue(4, PutOptions.DEFAULT.withName("table").withReplace());
    assertEquals(4L, client.getValue("table"));
    assertThrows(VineyardException.NotFound.class, () -> client.getValue("nothing"));
    assertThrows(VineyardException.NotFound.class, () -> client.get("nothing"));
    assertEquals(client.getName("table"), client.waitForLatestName("table", Duration.ofSeconds(100)));
    assertThrows(VineyardException.TimedOut.class, () -> client.waitForLatestName("nothing", Duration.ofMillis(1)));
  }

  @Test
  void anArrayIsPutAndGotByName() {
    PutOptions options = PutOptions.DEFAULT.withName("array").withReplace().withPersist();
    ByteBuffer bytes = ByteBuffer.wrap(new byte[] {1, 2, 3, 4, 5, 6});
    try (BlobWriter writer = client.createBlob(6)) {
      writer.buffer().put(bytes.duplicate());
      for (ObjectId id : List.of(client.putTensor(bytes.array(), options, 2, 3), client.putTensor(ElementType.INT8, bytes, false, options, 2, 3),
          client.putTensor(ElementType.INT8, writer, false, options, 2, 3))) {
        assertTrue(isPersisted(id));
      }
    }
    try (Tensor tensor = client.getTensor("array"); OpenValue value = client.openValue("array")) {
      assertEquals(client.getName("array").id(), tensor.id());
      assertArrayEquals(new long[] {2, 3}, ((Tensor) value.get()).shape());
      assertArrayEquals(bytes.array(), tensor.as(Int8Array.class).toArray());
    }
    assertThrows(VineyardException.TypeMismatch.class, () -> client.getBlob("array"));
    try (BlobWriter writer = client.createBlob(6)) {
      assertThrows(VineyardException.AlreadyExists.class,
          () -> client.putTensor(ElementType.INT8, writer, false, PutOptions.DEFAULT.withName("array"), 6));
      writer.seal();
    }
  }

  @Test
  void bytesHaveOptionsToo() {
    for (int size : new int[] {0, 5, 100_000}) {
      for (Object value : List.of(new byte[size], ByteBuffer.allocate(size), ByteBuffer.allocateDirect(size))) {
        PutOptions options = PutOptions.DEFAULT.withName("bytes").withReplace().withPersist();
        ObjectId id = client.putValue(value, options);
        assertEquals(id, client.getName("bytes").id());
        assertTrue(id.isBlob() && isPersisted(id));
        try (Blob blob = client.getBlob(id)) {
          assertEquals(value instanceof byte[] ? BlobKind.BYTES : BlobKind.BUFFER, blob.kind());
          assertArrayEquals(new byte[size], blob.toByteArray());
        }
      }
    }
    ObjectId array = client.put(ByteBuffer.wrap(new byte[] {1}), BlobKind.BYTEARRAY, PutOptions.DEFAULT.withName("array"));
    try (Blob blob = client.getBlob("array")) {
      assertEquals(array, blob.id());
      assertEquals(BlobKind.BYTEARRAY, blob.kind());
    }
  }

  @Test
  void aTreeIsPersistedByItsPut() {
    assertTrue(isPersisted(client.putValue(List.of(new long[1]), PutOptions.DEFAULT.withPersist())));
    assertTrue(isPersisted(client.put(new ObjectMeta("example::T"), PutOptions.DEFAULT.withPersist())));
    assertFalse(isPersisted(client.put(new ObjectMeta("example::T"), PutOptions.DEFAULT)));
  }

  @Test
  void metadataSaysWhatItHasBecomeAndIsPutOnce() {
    ObjectMeta leaf = new ObjectMeta("example::Leaf");
    ObjectMeta root = new ObjectMeta("example::Root").add("leaf", leaf);
    assertNull(root.id());
    ObjectId id = client.put(root);
    assertEquals(id, root.id());
    try (VineyardObject object = client.get(id)) {
      assertEquals(leaf.id(), object.members().get("leaf"));
    }
    for (ObjectMeta again : List.of(root, leaf, new ObjectMeta("example::Other").add("leaf", leaf))) {
      var error = assertThrows(IllegalArgumentException.class, () -> client.put(again));
      assertTrue(error.getMessage().contains("it was put already, as o"), error.getMessage());
    }
    try (BlobWriter writer = client.createBlob(8)) {
      ObjectMeta withWriter = new ObjectMeta("example::Writer").add("w", writer);
      client.put(withWriter);
      var error = assertThrows(IllegalArgumentException.class, () -> client.put(withWriter));
      assertTrue(error.getMessage().contains("it was put already, as " + withWriter.id()), error.getMessage());
    }
    ObjectMeta failed = new ObjectMeta("example::T").add("none", new ObjectId(12345));
    assertThrows(VineyardException.NotFound.class, () -> client.put(failed));
    assertNull(failed.id());
  }

  @Test
  void whatOthersLinkToIsDeletedByForce() {
    ObjectId leaf = client.putValue(new long[1]);
    ObjectId list = client.putValue(List.of(leaf));
    assertThrows(VineyardException.InUse.class, () -> client.delete(List.of(leaf), DeleteOptions.DEFAULT));
    client.delete(List.of(leaf), DeleteOptions.DEFAULT.withForce());
    client.delete(List.of(list), DeleteOptions.DEFAULT.withShallow());
    assertFalse(client.exists(leaf));
    assertEquals(new DeleteOptions(true, true), DeleteOptions.DEFAULT.withShallow().withForce());
  }

  @Test
  void aListIsFetchedInPagesOfTheWantedSize() {
    for (int i = 0; i < 100; ++i) {
      client.put(new ObjectMeta("example::T"));
    }
    long[] requests = new long[2];
    for (int i = 0; i < 2; ++i) {
      long before = client.statistics().requests();
      try (Stream<ObjectId> list = client.list(ListOptions.types("example::T").withPage(i == 0 ? 0 : 10))) {
        assertEquals(100, list.count());
      }
      requests[i] = client.statistics().requests() - before;
    }
    assertTrue(requests[1] >= requests[0] + 9, () -> requests[0] + " and " + requests[1]);
    assertThrows(IllegalArgumentException.class, () -> ListOptions.types("*").withPage(-1));
  }

  @Test
  void aSharedBlobHasALifeOfItsOwn() {
    Blob blob = client.getBlob(client.put(new byte[] {1, 2, 3}));
    try (Blob shared = blob.share()) {
      blob.close();
      client.clear();
      assertEquals(blob.id(), shared.id());
      assertArrayEquals(new byte[] {1, 2, 3}, shared.toByteArray());
    }
    assertThrows(IllegalStateException.class, blob::share);
  }

  @Test
  void memoryIsSharedOrNot() {
    try (Blob blob = client.getBlob(client.put(new byte[100_000])); BlobWriter writer = client.createBlob(8)) {
      assertTrue(Vineyard.isShared(blob.buffer()));
      assertTrue(Vineyard.isShared(blob.slice(10, 20)));
      assertTrue(Vineyard.isShared(writer.buffer()));
      assertFalse(Vineyard.isShared(ByteBuffer.allocateDirect(8)));
      assertFalse(Vineyard.isShared(ByteBuffer.allocate(8)));
    }
  }
}
