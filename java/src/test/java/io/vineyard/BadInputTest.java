package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** What can not be is refused with a clear text, and stores nothing. */
class BadInputTest extends WithClient {
  private static final long MAX = Long.MAX_VALUE;

  private static void refused(String text, Executable call) {
    IllegalArgumentException error = assertThrows(IllegalArgumentException.class, call);
    assertTrue(error.getMessage().contains(text), error.getMessage());
  }

  private static <T extends VineyardException> void refused(Class<T> type, String text, Executable call) {
    T error = assertThrows(type, call);
    assertTrue(error.getMessage().contains(text), error.getMessage());
  }

  @AfterEach
  void nothingIsLeft() {
    client.clear();
    Map<String, Object> status = client.status();
    assertEquals(0L, status.get("objects"));
    assertEquals(0L, status.get("blobs"));
    assertEquals(0L, status.get("memory_pinned"));
  }

  @Test
  void negativeSizesOffsetsAndTimes() {
    ObjectId id = client.put(new byte[100]);
    refused("-1 bytes", () -> client.createBlob(-1));
    refused("not negative", () -> client.createBlob(Long.MIN_VALUE));
    try (Blob blob = client.getBlob(id); BlobWriter writer = client.createBlob(100); Watch watch = client.watch()) {
      for (long[] part : new long[][] {{-1, 1}, {0, -1}, {0, 101}, {100, 1}, {101, 0}, {MAX, 1}, {1, MAX}, {MAX, MAX}, {Long.MIN_VALUE, 1}}) {
        assertThrows(IndexOutOfBoundsException.class, () -> blob.slice(part[0], part[1]));
        assertThrows(IndexOutOfBoundsException.class, () -> writer.slice(part[0], part[1]));
      }
      assertEquals(0, blob.slice(100, 0).remaining());
      Uint8Array array = blob.as(Uint8Array.class);
      for (long index : new long[] {-1, 100, 1L << 32, MAX, Long.MIN_VALUE}) {
        assertThrows(IndexOutOfBoundsException.class, () -> array.get(index));
        assertThrows(IndexOutOfBoundsException.class, () -> array.asBuffer(index, 1));
        assertThrows(IndexOutOfBoundsException.class, () -> array.toArray(index, 1));
      }
      refused("-1", () -> writer.shrink(-1));
      refused("101", () -> writer.shrink(101));
      refused("PT-0.001S", () -> client.waitForName("n", Duration.ofMillis(-1)));
      refused("PT-1S", () -> client.waitFor(id, Duration.ofSeconds(-1)));
      refused("PT-1S", () -> client.waitFor(Position.NONE, Duration.ofSeconds(-1)));
      refused("PT-1S", () -> watch.poll(Duration.ofSeconds(-1)));
    }
  }

  @Test
  void timesLongerThanNumbersGo() {
    ObjectId id = client.putValue(1L);
    client.persist(id);
    for (Duration longest : List.of(Duration.ofSeconds(MAX, 999_999_999), Duration.ofMillis(MAX), Duration.ofDays(365_000), Duration.ofNanos(MAX))) {
      try (Watch watch = client.watch()) {
        client.waitFor(id, longest);
        client.waitFor(client.position(), longest);
        client.replaceName("long", id);
        assertEquals(id, client.waitForName("long", longest).id());
        assertEquals(Event.Kind.NAMED, watch.poll(longest).orElseThrow().kind());
        assertTrue(watch.poll(Duration.ofNanos(1)).isEmpty());
      }
    }
  }

  @Test
  void typesThatAreNotThoseAskedFor() {
    ObjectId text = client.putValue("text");
    ObjectId blob = client.put(new byte[12]);
    ObjectId array = client.putValue(new int[3]);
    refused(VineyardException.TypeMismatch.class, "vineyard::String", () -> client.getTensor(text));
    refused(VineyardException.TypeMismatch.class, blob.toString(), () -> client.getTensor(blob));
    refused(VineyardException.TypeMismatch.class, text.toString(), () -> client.getBlob(text));
    try (VineyardObject object = client.get(text); Tensor tensor = client.getTensor(array); Blob bytes = client.getBlob(blob)) {
      refused(VineyardException.TypeMismatch.class, "vineyard::String", object::tensor);
      refused(VineyardException.TypeMismatch.class, text.toString(), object::blob);
      refused(VineyardException.TypeMismatch.class, "a string, not an integer", () -> object.getLong("value_"));
      refused(VineyardException.TypeMismatch.class, "int32, not float64", () -> tensor.as(Float64Array.class));
      refused("12 bytes", () -> bytes.as(Int64Array.class));
      assertThrows(UnsupportedOperationException.class, () -> tensor.as(String.class));
      assertThrows(UnsupportedOperationException.class, () -> bytes.as(int[].class));
    }
    refused(VineyardException.TypeMismatch.class, "java.lang.Thread", () -> client.putValue(Thread.currentThread()));
    refused(VineyardException.TypeMismatch.class, "java.lang.Thread", () -> client.putValue(List.of(1, new byte[70_000], Thread.currentThread())));
    refused(VineyardException.TypeMismatch.class, "char[]", () -> client.putValue("c".toCharArray()));
    refused("String", () -> client.putTensor("text", 4));
    refused("char[]", () -> client.putTensor(new char[4], 4));
    refused("in the store already", () -> client.putValue(text));
    ObjectId own = client.put(new ObjectMeta("mine::Own"));
    refused(VineyardException.TypeMismatch.class, "mine::Own", () -> client.getValue(own));
    ObjectId pickle = client.put(new ObjectMeta("vineyard::PickleBuffer").set("nbytes", 77));
    refused(VineyardException.class, "pickle of 77 bytes", () -> client.getValue(pickle));
  }

  @Test
  void listsThatAreTooDeep() {
    for (int depth : new int[] {65, 1000, 1_000_000}) {
      Object list = "bottom";
      Object map = "bottom";
      Object array = "bottom";
      ObjectMeta meta = new ObjectMeta("example::Bottom");
      for (int i = 0; i < depth; ++i) {
        list = List.of(list);
        map = Map.of("k", map);
        array = new Object[] {array};
        meta = new ObjectMeta("example::Node").add("below", meta);
      }
      for (Object deep : List.of(list, map, array)) {
        refused(VineyardException.LimitExceeded.class, "64", () -> client.putValue(deep));
        refused("deep", () -> new ObjectMeta("t").set("f", deep instanceof Object[] ? List.of(Map.of("k", listOf(depth))) : deep));
      }
      ObjectMeta tree = meta;
      refused(VineyardException.LimitExceeded.class, "64", () -> client.put(tree));
    }
    Object fits = listOf(60);
    assertEquals(fits, client.getValue(client.putValue(fits)));
  }

  private static Object listOf(int depth) {
    Object list = "bottom";
    for (int i = 0; i < depth; ++i) {
      list = List.of(list);
    }
    return list;
  }

  @Test
  void whatContainsItself() {
    List<Object> list = new ArrayList<>();
    list.add(list);
    Map<Object, Object> map = new HashMap<>();
    map.put("k", map);
    Object[] array = new Object[1];
    array[0] = Arrays.asList(1, array);
    for (Object each : List.<Object>of(list, map, array)) {
      refused("contains itself", () -> client.putValue(each));
      refused("contains itself", () -> client.putValue(Tuple.of("first", new double[10_000], each)));
    }
    refused("deep", () -> new ObjectMeta("t").set("f", list));
    ObjectMeta meta = new ObjectMeta("example::Cycle");
    meta.add("self", new ObjectMeta("example::Node").add("back", meta));
    refused("member of itself", () -> client.put(meta));
  }

  @Test
  void shapesThatOverflow() {
    long[] numbers = new long[6];
    for (long[] shape : new long[][] {{7}, {2, 4}, {}, {0}, {MAX}, {MAX, MAX}, {1L << 32, 1L << 32}, {1L << 61}, {3, 1L << 61, 2}, {1L << 62, 4, 6}}) {
      refused(Arrays.toString(shape), () -> client.putTensor(numbers, shape));
      refused(Arrays.toString(shape), () -> client.putTensor(ElementType.INT64, ByteBuffer.allocate(48), true, shape));
      try (BlobWriter writer = client.createBlob(48)) {
        refused(Arrays.toString(shape), () -> client.putTensor(ElementType.INT64, writer, false, shape));
      }
    }
    refused("[-2, -3]", () -> client.putTensor(numbers, -2, -3));
    refused("only Python", () -> client.putTensor(ElementType.OTHER, ByteBuffer.allocate(0), false, 0));
    try (Tensor empty = client.getTensor(client.putTensor(new long[0], 0, 1L << 40))) {
      assertEquals(0, empty.size());
      assertEquals(0, empty.as(Int64Array.class).size());
    }
  }

  @Test
  void arraysWhoseRecordLies() {
    for (Object shape : List.of(List.of(7L), List.of(MAX, MAX), List.of(1L << 61), List.of(-1L), List.of("x"), "x", 6L)) {
      for (Object type : List.of("int64", 1L)) {
        ObjectId id = client.put(new ObjectMeta("vineyard::Tensor").set("value_type_", type).set("shape_", shape).set("order_", "C")
            .add("buffer_", new byte[48], BlobKind.BUFFER));
        refused(VineyardException.class, "", () -> client.getTensor(id));
        refused(VineyardException.class, "", () -> client.getValue(id));
      }
    }
    for (Object size : List.of(-1L, MAX, 2L, "x")) {
      for (String type : List.of("List", "Tuple")) {
        ObjectId id = client.put(new ObjectMeta("vineyard::" + type).set("__elements_-size", size));
        refused(VineyardException.class, "", () -> client.getValue(id));
      }
    }
    for (Map<String, Object> scalar : List.<Map<String, Object>>of(Map.of("value_", "x", "value_type_", "int", "scalar_kind_", "python"),
        Map.of("value_", 1L, "value_type_", "float", "scalar_kind_", "python"), Map.of("value_", List.of(1.0), "value_type_", "complex"),
        Map.of("value_", new byte[0], "value_type_", "bigint"), Map.of("value_type_", "bool"), Map.of())) {
      ObjectId id = client.put(new ObjectMeta("vineyard::Scalar").setAll(scalar));
      refused(VineyardException.class, "", () -> client.getValue(id));
    }
  }

  @Test
  void whatIsUsedTwiceOrElsewhere() {
    try (Client other = daemon.connect(); BlobWriter writer = other.createBlob(8); BlobWriter own = client.createBlob(8)) {
      assertThrows(VineyardException.class, () -> client.put(new ObjectMeta("t").add("w", writer)));
      ObjectId id = client.put(new ObjectMeta("t").add("w", own).add("again", own));
      try (VineyardObject object = client.get(id)) {
        assertEquals(object.members().get("w"), object.members().get("again"));
      }
      refused(VineyardException.class, "sealed", () -> client.put(new ObjectMeta("t").add("w", own)));
      ObjectId unknown = new ObjectId(12345);
      Supplier<List<Executable>> calls = () -> List.of(() -> client.get(unknown), () -> client.getValue(unknown), () -> client.delete(unknown),
          () -> client.persist(unknown), () -> client.putName("n", unknown), () -> client.labels(unknown),
          () -> client.put(new ObjectMeta("t").add("m", unknown)));
      calls.get().forEach(call -> refused(VineyardException.NotFound.class, unknown.toString(), call));
      assertFalse(client.exists(unknown));
      assertThrows(VineyardException.class, () -> client.get(new ObjectId(0)));
      client.delete(id);
    }
  }
}
