package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** What somebody who did something wrong reads: what it was, where, and what can be done instead. */
class TextsTest extends WithClient {
  private static void says(Class<? extends RuntimeException> type, String text, Executable call) {
    RuntimeException error = assertThrows(type, call, text);
    assertTrue(error.getMessage().contains(text), error.getMessage() + "\nhas to say: " + text);
    assertFalse(error.getMessage().contains("Unmodifiable") || error.getMessage().contains("ImmutableCollections"), error.getMessage());
  }

  @Test
  void connectWithoutAPath() {
    says(NullPointerException.class, "the socket's path is null; connect() without an argument", () -> Vineyard.connect((String) null));
  }

  @Test
  void aNameThatIsEmpty() {
    long before = (Long) client.status().get("objects");
    PutOptions empty = PutOptions.DEFAULT.withName("");
    for (Executable each : List.<Executable>of(() -> client.putValue(1, ""), () -> client.putValue(1, empty), () -> client.put(ByteBuffer.allocate(1), BlobKind.BYTES, empty),
        () -> client.put(new ObjectMeta("t"), empty))) {
      says(VineyardException.class, "name: it must not be empty; leave it out for an object without a name", each);
    }
    ObjectId id = client.putValue("text");
    for (Executable each : List.<Executable>of(() -> client.putName("", id), () -> client.replaceName("", id), () -> client.getName(""),
        () -> client.dropName(""), () -> client.getValue(""))) {
      says(VineyardException.class, "name: it is empty; at least one character is expected", each);
    }
    says(VineyardException.class, "label: it is empty; at least one character is expected", () -> client.setLabel(id, "", "value"));
    assertEquals(before + 1, client.status().get("objects"));
    says(VineyardException.class, "socket: it must not be empty; without one it is the default socket", () -> Vineyard.connect(""));
  }

  @Test
  void aValueThatHasNoFormSaysWhereItIs() {
    Map<String, Object> value = new HashMap<>();
    value.put("a", List.of(0, 1, 2, Tuple.of(0.5, Arrays.asList(null, new StringBuilder("x")))));
    says(VineyardException.TypeMismatch.class, "put: $[\"a\"][3][1][1]: a java.lang.StringBuilder has no form", () -> client.putValue(value));
    says(VineyardException.TypeMismatch.class, "put: a java.lang.StringBuilder has no form", () -> client.putValue(new StringBuilder()));
    says(VineyardException.TypeMismatch.class, "$[key 0]: a java.lang.Thread", () -> client.putValue(Map.of(Thread.currentThread(), 1)));
    says(VineyardException.TypeMismatch.class, "$[2][7]: a java.lang.Thread", () -> client.putValue(
        new Object[] {1, "x", Map.of(7L, Thread.currentThread())}));
    says(VineyardException.TypeMismatch.class, "$[value 0]: a java.lang.Thread", () -> client.putValue(Map.of(List.of(1), Thread.currentThread())));
    says(IllegalArgumentException.class, "put: $[1][\"k\"]: text: a surrogate", () -> client.putValue(List.of(1, Map.of("k", "\ud800"))));
    List<Object> own = Arrays.asList(1, null);
    own.set(1, Map.of("self", own));
    says(IllegalArgumentException.class, "put: $[1][\"self\"]: a list that contains itself", () -> client.putValue(own));
    says(VineyardException.TypeMismatch.class, "put: $[0]: a char[] has no form", () -> client.putValue(List.of(new char[1])));
    String longKey = "k".repeat(50);
    says(VineyardException.class, "$[\"" + "k".repeat(40) + "...\"]: a java", () -> client.putValue(Map.of(longKey, new StringBuilder())));
    Object deep = new StringBuilder();
    for (int i = 0; i < 30; ++i) {
      deep = Arrays.asList(null, deep);
    }
    Object deepest = deep;
    says(VineyardException.class, "$" + "[1]".repeat(8) + "..." + "[1]".repeat(8) + ": a java", () -> client.putValue(deepest));
  }

  @Test
  void metadataSaysWhereAndWhichTypesItHas() {
    ObjectMeta meta = new ObjectMeta("t");
    says(IllegalArgumentException.class, "field 'f': $[0][\"k\"]: a java.lang.StringBuilder can not be metadata: null, Boolean, Byte",
        () -> meta.set("f", List.of(Map.of("k", new StringBuilder()))));
    says(IllegalArgumentException.class, "field 'f': a java.time.Duration can not be metadata", () -> meta.set("f", Duration.ZERO));
    says(IllegalArgumentException.class, "field 'f': $[key 0]: the keys of a map are strings", () -> meta.set("f", Map.of(1, 2)));
    ObjectId id = client.put(meta.set("list", List.of(1)).set("big", java.math.BigInteger.ONE.shiftLeft(63)));
    try (VineyardObject object = client.get(id)) {
      says(VineyardException.TypeMismatch.class, "field 'list' is a list, not an integer of 64 bits with a sign", () -> object.getLong("list"));
      says(VineyardException.TypeMismatch.class, "field 'list' is a list, not bytes", () -> object.getBytes("list"));
      says(VineyardException.TypeMismatch.class, "field 'big' is an integer, not a float64", () -> object.getDouble("big"));
    }
  }

  @Test
  void whatJavaHasNoValueOfIsATypeMismatch() {
    ObjectId pickle = client.put(new ObjectMeta("vineyard::PickleBuffer"));
    says(VineyardException.TypeMismatch.class, "a vineyard::PickleBuffer, a pickle, which only Python can read", () -> client.getValue(pickle));
    ObjectId own = client.put(new ObjectMeta("mine::Own"));
    says(VineyardException.TypeMismatch.class, "a mine::Own, of which Java has no value", () -> client.getValue(own));
    ObjectId list = client.putValue(List.of(1, own));
    says(VineyardException.TypeMismatch.class, "$[1]: object " + own + ": a mine::Own", () -> client.getValue(list));
  }

  @Test
  void aViewThatThereIsNotSaysWhatToAskFor() {
    try (Tensor tensor = client.getTensor(client.putValue(new double[1])); Blob blob = client.getBlob(client.put(new byte[8]))) {
      for (Executable each : List.<Executable>of(() -> tensor.as(DoubleBuffer.class), () -> blob.as(DoubleBuffer.class))) {
        says(UnsupportedOperationException.class, "no view as java.nio.DoubleBuffer; ask for ByteBuffer, or an array of the right type, "
            + "such as Float64Array, whose asBuffer() is a DoubleBuffer", each);
      }
      says(UnsupportedOperationException.class, "no view as int[]; ask for ByteBuffer, or an array, such as", () -> blob.as(int[].class));
    }
  }

  @Test
  void aClosedArraySaysSo() {
    Tensor tensor = client.getTensor(client.putValue(new double[1]));
    tensor.close();
    says(IllegalStateException.class, "array " + tensor.id() + ": it is closed, get it again", () -> tensor.as(Float64Array.class));
    says(IllegalStateException.class, "array " + tensor.id() + ": it is closed", () -> tensor.as(java.nio.ByteBuffer.class));
  }

  @Test
  void aNegativeTime() {
    says(IllegalArgumentException.class, "a time-out of PT-1S, which is negative", () -> client.sync(Duration.ofSeconds(-1)));
  }

  @Test
  void aWatchSeesWhatIsPersistedOnly() {
    try (Watch watch = client.watch()) {
      ObjectId local = client.putValue("local", "name of a local object");
      client.delete(local);
      ObjectId id = client.putValue("known to all");
      client.persist(id);
      assertEquals(new Event(Event.Kind.CREATED, id, client.instance(), ""), watch.next());
      assertTrue(watch.poll(Duration.ZERO).isEmpty());
    }
  }

  @Test
  void moreBytesThanALongCanSayAreNotNegative() {
    Object doubled = java.nio.ByteBuffer.allocate(8);
    for (int i = 0; i < 60; ++i) {
      doubled = Arrays.asList(doubled, doubled);
    }
    try (VineyardObject object = client.get(client.putValue(doubled))) {
      assertEquals(Long.MAX_VALUE, object.nbytes());
    }
  }

  private ObjectId array(String type, String order, List<?> shape, int bytes) {
    return client.put(new ObjectMeta("vineyard::Tensor").set("value_type_", type).set("shape_", shape).set("order_", order)
        .set("value_type_meta_", "<M8[D]").add("buffer_", new byte[bytes], BlobKind.BUFFER));
  }

  @Test
  void aShapeThatCanNotBeIsCorruptAlsoOfElementsThatOnlyPythonKnows() {
    for (List<Object> shape : List.<List<Object>>of(List.of(9), List.of(1L << 40, 1L << 40), List.of(3, 3))) {
      ObjectId id = array("other", "C", shape, 8);
      for (Executable each : List.<Executable>of(() -> client.getTensor(id), () -> client.getValue(id))) {
        says(VineyardException.Corrupt.class, "array " + id + ": its shape " + shape + " has more elements", each);
      }
    }
    try (Tensor one = client.getTensor(array("other", "C", List.of(1), 8)); Tensor none = client.getTensor(array("other", "C", List.of(0, 1L << 62, 8), 0))) {
      assertEquals(1, one.size());
      assertEquals(0, none.size());
    }
  }

  @Test
  void anArrayThatIsTheSameInBothOrdersIsReadInThatOfC() {
    try (Tensor empty = client.getTensor(array("int8", "F", List.of(2, 0, 3), 0)); Tensor row = client.getTensor(array("int8", "F", List.of(1, 6), 6));
        Tensor both = client.getTensor(array("int8", "F", List.of(2, 3), 6))) {
      assertFalse(empty.isFortran());
      assertFalse(row.isFortran());
      assertTrue(both.isFortran());
    }
  }
}
