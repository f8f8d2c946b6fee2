package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What one client asks of one daemon. */
class ClientTest extends WithClient {
  private static final Duration PATIENCE = Duration.ofSeconds(100);

  private static byte[] bytes(int size) {
    byte[] bytes = new byte[size];
    for (int i = 0; i < size; ++i) {
      bytes[i] = (byte) (i * 7 + i / 256);
    }
    return bytes;
  }

  @Test
  void bytesComeBackAtEverySizeAndKind() {
    for (int size : new int[] {0, 1, 13, 255, 256, 65535, 65536, 65537, 5 << 20}) {
      for (BlobKind kind : BlobKind.values()) {
        for (boolean direct : new boolean[] {false, true}) {
          ByteBuffer source = direct ? ByteBuffer.allocateDirect(size).put(bytes(size)).flip() : ByteBuffer.wrap(bytes(size));
          ObjectId id = client.put(source, kind);
          assertEquals(size, source.remaining());
          try (Blob blob = client.getBlob(id)) {
            assertEquals(kind, blob.kind());
            assertEquals(size, blob.size());
            assertArrayEquals(bytes(size), blob.toByteArray());
            assertTrue(blob.buffer().isReadOnly());
            assertTrue(blob.buffer().isDirect());
          }
        }
      }
    }
  }

  @Test
  void theBytesOfTheTutorialAreTwentyEightInTheStore() {
    try (Blob blob = client.getBlob(client.put("Hello, World!".getBytes(StandardCharsets.UTF_8)))) {
      assertEquals(13, blob.size());
      assertEquals(28, blob.storedSize());
    }
  }

  // That damage is found is shown where memory can be damaged: tests/integration/fsck_test.cc.
  @Test
  void whatIsInOrderIsVerified() {
    assertEquals(0, client.verify(client.putValue(List.of("a", new double[1000]))));
    assertEquals(2 << 20, client.verify(client.put(new byte[2 << 20])));
    ObjectId gone = client.putValue("gone");
    client.delete(gone);
    assertThrows(VineyardException.NotFound.class, () -> client.verify(gone));
  }

  @Test
  void aReadCopiesNothing() {
    ObjectId blobId = client.put(bytes(1 << 20));
    ObjectId arrayId = client.putValue(new double[100_000]);
    long before = client.statistics().copiedPayloadBytes();
    try (Blob blob = client.getBlob(blobId); Tensor tensor = client.getTensor(arrayId)) {
      assertEquals(1 << 20, blob.buffer().remaining());
      assertEquals(0.0, tensor.as(Float64Array.class).get(99_999));
    }
    assertEquals(before, client.statistics().copiedPayloadBytes());
  }

  @Test
  void aPartIsReadByASlice() {
    try (Blob blob = client.getBlob(client.put(bytes(1000)))) {
      ByteBuffer part = blob.slice(990, 10);
      assertEquals(10, part.remaining());
      assertEquals((byte) (990 * 7 + 3), part.get(0));
      assertThrows(IndexOutOfBoundsException.class, () -> blob.slice(990, 11));
      assertThrows(IndexOutOfBoundsException.class, () -> blob.slice(-1, 1));
    }
  }

  @Test
  void whatIsWrittenInPlaceIsSealedAndSeenByOthers() {
    try (BlobWriter writer = client.createBlob(1 << 20); Client other = daemon.connect()) {
      writer.buffer().putLong(8, 42);
      CompletableFuture<Void> waiting = CompletableFuture.runAsync(() -> other.waitFor(writer.id(), PATIENCE));
      writer.shrink(1000);
      ObjectId id = writer.seal();
      waiting.join();
      try (Blob blob = other.getBlob(id)) {
        assertEquals(1000, blob.size());
        assertEquals(42, blob.buffer().getLong(8));
      }
      assertThrows(IllegalStateException.class, writer::seal);
      assertThrows(IllegalStateException.class, writer::abort);
      assertThrows(IllegalStateException.class, () -> writer.shrink(1));
      assertThrows(IllegalStateException.class, writer::buffer);
    }
  }

  @Test
  void aTreeIsPutAtOnceAndReadWithoutAMessage() {
    ObjectMeta shared = new ObjectMeta("example::Leaf").set("number", 7);
    ObjectId id = client.put(new ObjectMeta("example::Root")
        .set("null", null).set("bool", true).set("int", Long.MIN_VALUE).setUnsigned("uint", -1L).set("float", -0.0)
        .set("text", "a\0b \uD83D\uDE00").set("bytes", new byte[] {0, -1}).set("list", List.of(1L, List.of("x")))
        .set("map", Map.of("k", 2.5)).set("Schlüssel \uD83D\uDD11", "\uFFFF")
        .add("first", shared).add("second", shared).add("bytes member", bytes(10), BlobKind.BYTES)
        .add("large", bytes(1 << 20), BlobKind.BUFFER));
    client.get(id).memberBlob("large").close();  // maps the memory
    long requests = client.statistics().requests();
    try (VineyardObject root = client.get(id)) {
      assertEquals("example::Root", root.typeName());
      assertEquals(List.of("null", "bool", "int", "uint", "float", "text", "bytes", "list", "map", "Schlüssel \uD83D\uDD11"),
          new ArrayList<>(root.fields().keySet()));
      assertEquals(null, root.field("null"));
      assertTrue(root.getBoolean("bool"));
      assertEquals(Long.MIN_VALUE, root.getLong("int"));
      assertEquals("18446744073709551615", root.getBigInteger("uint").toString());
      assertEquals(Double.doubleToRawLongBits(-0.0), Double.doubleToRawLongBits(root.getDouble("float")));
      assertEquals("a\0b \uD83D\uDE00", root.getString("text"));
      assertArrayEquals(new byte[] {0, -1}, root.getBytes("bytes"));
      assertEquals(List.of(1L, List.of("x")), root.getList("list"));
      assertEquals(Map.of("k", 2.5), root.getMap("map"));
      assertEquals("\uFFFF", root.getString("Schlüssel \uD83D\uDD11"));
      assertEquals(List.of("first", "second", "bytes member", "large"), new ArrayList<>(root.members().keySet()));
      assertEquals(root.members().get("first"), root.members().get("second"));
      try (VineyardObject leaf = root.member("second"); Blob blob = root.memberBlob("bytes member"); Blob large = root.memberBlob("large")) {
        assertEquals(7, leaf.getLong("number"));
        assertArrayEquals(bytes(10), blob.toByteArray());
        assertArrayEquals(bytes(1 << 20), large.toByteArray());
      }
      assertThrows(VineyardException.NotFound.class, () -> root.getLong("none"));
      assertThrows(VineyardException.TypeMismatch.class, () -> root.getLong("text"));
      assertThrows(VineyardException.TypeMismatch.class, () -> root.memberBlob("first"));
    }
    assertEquals(requests, client.statistics().requests());
  }

  @Test
  void metadataIsPutOnceAndNoNameTwice() {
    ObjectMeta meta = new ObjectMeta("example::T").set("a", 1);
    assertThrows(IllegalArgumentException.class, () -> meta.set("a", 2));
    assertThrows(IllegalArgumentException.class, () -> new ObjectMeta("t").set("a", new Object()));
    assertThrows(IllegalArgumentException.class, () -> new ObjectMeta("t").set("a", "\uD800"));
    ObjectMeta cycle = new ObjectMeta("example::Cycle");
    cycle.add("self", cycle);
    assertThrows(IllegalArgumentException.class, () -> client.put(cycle));
    ObjectMeta deep = new ObjectMeta("example::Leaf");
    for (int i = 0; i < 100; ++i) {
      deep = new ObjectMeta("example::Node").add("below", deep);
    }
    ObjectMeta tooDeep = deep;
    assertThrows(VineyardException.LimitExceeded.class, () -> client.put(tooDeep));
  }

  @Test
  void arraysHaveTypeShapeAndOrder() {
    ObjectId id = client.putTensor(new int[] {1, 2, 3, 4, 5, 6}, 2, 3);
    try (Tensor tensor = client.getTensor(id)) {
      assertEquals(ElementType.INT32, tensor.elementType());
      assertArrayEquals(new long[] {2, 3}, tensor.shape());
      assertFalse(tensor.isFortran());
      assertEquals(6, tensor.size());
      assertArrayEquals(new int[] {1, 2, 3, 4, 5, 6}, tensor.as(Int32Array.class).toArray());
      assertEquals(24, tensor.as(ByteBuffer.class).remaining());
      var wrong = assertThrows(VineyardException.TypeMismatch.class, () -> tensor.as(Float64Array.class));
      assertTrue(wrong.getMessage().contains("int32"), wrong.getMessage());
      assertThrows(UnsupportedOperationException.class, () -> tensor.as(String.class));
    }
    ObjectId text = client.putValue("no array");
    var error = assertThrows(VineyardException.TypeMismatch.class, () -> client.getTensor(text));
    assertTrue(error.getMessage().contains("vineyard::String"), error.getMessage());
    assertThrows(IllegalArgumentException.class, () -> client.putTensor(new int[5], 2, 3));
  }

  @Test
  void valuesComeBackAsWhatTheyWere() {
    for (Object value : Arrays.asList(null, true, 1L, Long.MIN_VALUE, new java.math.BigInteger("18446744073709551615"),
        new java.math.BigInteger("-170141183460469231731687303715884105728"), -0.0, 1.5f, new Complex(1, -2), "", "a\0\uD83D\uDE00",
        "long ".repeat(10_000), List.of(), Tuple.of(), Tuple.of(1L, "two"), Tuple.of(1L, 2.0, null), Arrays.asList(null, List.of(true)),
        Map.of(), Map.of("k", List.of(1L), 2L, "v"))) {
      assertEquals(value, client.getValue(client.putValue(value)));
    }
    Object pair = client.getValue(client.putValue(Tuple.of(new double[] {1, 2}, new byte[] {3})));
    Tensor first = (Tensor) ((Tuple) pair).get(0);
    assertArrayEquals(new double[] {1, 2}, first.as(Float64Array.class).toArray());
    assertArrayEquals(new byte[] {3}, (byte[]) ((Tuple) pair).get(1));
    assertThrows(VineyardException.TypeMismatch.class, () -> client.putValue(new Object()));
  }

  @Test
  void aValueMetTwiceIsOneObject() {
    List<Object> shared = List.of(new double[] {1});
    ObjectId id = client.putValue(List.of(shared, shared));
    try (VineyardObject list = client.get(id)) {
      assertEquals(list.members().get("__elements_-0"), list.members().get("__elements_-1"));
    }
    List<?> value = (List<?>) client.getValue(id);
    assertTrue(value.get(0) == value.get(1));
    List<Object> own = new ArrayList<>();
    own.add(own);
    assertThrows(IllegalArgumentException.class, () -> client.putValue(own));
  }

  @Test
  void namesAreGivenTakenComparedAndWaitedFor() {
    ObjectId one = client.put(new byte[] {1});
    ObjectId two = client.put(new byte[] {2});
    String name = "a/b \uD83D\uDC4B";
    long first = client.putName(name, one);
    assertEquals(new NamedObject(name, one, first), client.getName(name));
    var taken = assertThrows(VineyardException.AlreadyExists.class, () -> client.putName(name, two));
    assertTrue(taken.getMessage().contains(one.toString()), taken.getMessage());
    assertThrows(VineyardException.Conflict.class, () -> client.compareAndSetName(name, first + 1, two));
    long second = client.compareAndSetName(name, first, two);
    assertEquals(two, client.getLatestName(name).id());
    try (Stream<NamedObject> names = client.names("a/*")) {
      assertEquals(List.of(new NamedObject(name, two, second)), names.toList());
    }
    client.compareAndDropName(name, second);
    assertThrows(VineyardException.NotFound.class, () -> client.getName(name));
    assertThrows(VineyardException.TimedOut.class, () -> client.waitForName(name, Duration.ofMillis(1)));
    try (Client other = daemon.connect()) {
      CompletableFuture<NamedObject> waiting = CompletableFuture.supplyAsync(() -> other.waitForName(name, PATIENCE));
      client.putName(name, one);
      assertEquals(one, waiting.join().id());
    }
    assertThrows(IllegalArgumentException.class, () -> client.putName("nul\0", one));
  }

  @Test
  void objectsAreListedByTypeLabelAndInstance() {
    List<ObjectId> arrays = new ArrayList<>();
    for (int i = 0; i < 1000; ++i) {
      arrays.add(client.putValue(new long[] {i}));
    }
    ObjectId text = client.putValue("text");
    assertEquals(1000, client.list("vineyard::Tensor*").count());
    assertEquals(List.of(text), client.list("vineyard::String").toList());
    client.setLabel(arrays.get(5), "color", "r\u00f6t");
    assertEquals(Map.of("color", "r\u00f6t"), client.labels(arrays.get(5)));
    assertEquals(List.of(arrays.get(5)), client.list(ListOptions.types("*").withLabel("color", "r\u00f6t")).toList());
    assertEquals(1, client.list(ListOptions.types("vineyard::Array").withLabel("color", null).ofInstance(client.instance())).count());
    assertEquals(1000L, client.types().get("vineyard::Array"));
    try (Stream<ObjectId> some = client.list("*")) {
      assertEquals(3, some.limit(3).count());
    }
  }

  @Test
  void deletedObjectsAreGoneAndLinkedOnesStay() {
    ObjectId leaf = client.putValue(new long[] {1});
    ObjectId list = client.putValue(List.of(leaf));
    var linked = assertThrows(VineyardException.InUse.class, () -> client.delete(leaf));
    assertTrue(linked.getMessage().contains(list.toString()), linked.getMessage());
    client.delete(List.of(list), DeleteOptions.DEFAULT.withShallow());
    assertTrue(client.exists(leaf));
    client.delete(leaf);
    assertFalse(client.exists(leaf));
    assertThrows(VineyardException.NotFound.class, () -> client.delete(leaf));
  }

  @Test
  void aFullStoreSaysSoAndStoresNothing() {
    assertThrows(VineyardException.class, () -> client.createBlob(1L << 40));
    List<ObjectId> ids = new ArrayList<>();
    var full = assertThrows(VineyardException.StoreFull.class, () -> {
      for (;;) {
        ids.add(client.put(new byte[8 << 20]));
      }
    });
    assertEquals(Status.OUT_OF_MEMORY, full.status());
    assertTrue(full.status().isRetryable());
    assertTrue(ids.size() > 16);
  }

  @Test
  void changesAreWatched() {
    try (Watch watch = client.watch()) {
      assertTrue(watch.poll(Duration.ZERO).isEmpty());
      ObjectId id = client.putValue(List.of(1L));
      client.persist(id);
      client.putName("watched", id);
      assertEquals(new Event(Event.Kind.CREATED, id, client.instance(), ""), watch.next());
      Event named = watch.next();
      assertEquals(Event.Kind.NAMED, named.kind());
      assertEquals("watched", named.name());
      Position position = watch.position();
      client.delete(id);
      try (Watch later = client.watch(position)) {
        assertEquals(watch.next(), later.next());
      }
      try (VineyardObject none = client.get(client.putValue("x"))) {
        assertFalse(none.isPersisted());
        assertFalse(none.isRemote());
        assertFalse(none.isGlobal());
      }
    }
  }

  @Test
  void theDaemonTellsOfItselfAndItsInstances() {
    Map<String, Object> status = client.status();
    assertEquals(Vineyard.version(), status.get("version"));
    assertTrue((Long) status.get("pid") > 0);
    assertEquals(1, client.instances().size());
    Instance instance = client.instances().get(0);
    assertEquals(client.instance(), instance.number());
    assertEquals(client.socket(), instance.socket());
    assertFalse(instance.isLost());
    Position position = client.sync();
    client.waitFor(position, PATIENCE);
    assertTrue(client.position().compareTo(position) >= 0);
    assertThrows(VineyardException.class, () -> client.forgetInstance(instance.number()));
  }
}
