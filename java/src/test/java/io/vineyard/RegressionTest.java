package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.AbstractList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;

/** What a reader of the code found: each as it was found, and as it has to be. */
class RegressionTest extends WithClient {
  @Test
  void anArrayOfAShrunkWriterHasWhatIsLeft() {
    try (BlobWriter writer = client.createBlob(800)) {
      writer.buffer().putDouble(8 * 49, 2.5);
      writer.shrink(400);
      assertEquals(400, writer.size());
      assertThrows(IllegalArgumentException.class, () -> client.putTensor(ElementType.FLOAT64, writer, false, 100));
      try (Tensor tensor = client.getTensor(client.putTensor(ElementType.FLOAT64, writer, false, 50))) {
        assertEquals(2.5, tensor.as(Float64Array.class).get(49));
      }
    }
  }

  @Test
  void aChainOfListsThatIsTooLongForAValueSaysSo() {
    ObjectId last = client.putValue(List.of("end"));
    for (int i = 0; i < 2000; ++i) {
      last = client.putValue(List.of(last));
    }
    ObjectId chain = last;
    var error = assertThrows(VineyardException.LimitExceeded.class, () -> client.getValue(chain));
    assertTrue(error.getMessage().contains("levels"), error.getMessage());
  }

  // Compiled code once took 4 KiB of it for each level.
  @Test
  void aChainOfAllLevelsIsReadWhereThereIsLittleStack() throws Exception {
    ObjectId last = client.putValue(List.of("end"));
    for (int i = 1; i < 256; ++i) {
      last = client.putValue(i % 2 == 0 ? List.of(last) : Map.of("in", last));
    }
    ObjectId chain = last;
    FutureTask<Object> read = new FutureTask<>(() -> client.getValue(chain));
    Thread thread = new Thread(null, read, "little stack", 200 << 10);
    thread.start();
    Object value = read.get();
    for (int i = 255; i > 0; --i) {
      value = i % 2 == 0 ? ((List<?>) value).get(0) : ((Map<?, ?>) value).get("in");
    }
    assertEquals(List.of("end"), value);
    thread.join();
  }

  @Test
  void textThatIsNoneIsCorrupt() {
    ObjectId broken = client.put(new ObjectMeta("vineyard::String").add("buffer_", new byte[] {(byte) 0xff}, BlobKind.BUFFER));
    assertEquals(Status.CORRUPT, assertThrows(VineyardException.class, () -> client.getValue(broken)).status());
    ObjectId number = client.put(new ObjectMeta("vineyard::String").set("value_", 5));
    assertEquals(Status.CORRUPT, assertThrows(VineyardException.class, () -> client.getValue(number)).status());
  }

  @Test
  void anErrorOfSomebodysListThatHasNoTextSaysWhereItIs() {
    List<Object> own = new AbstractList<>() {
      @Override
      public Object get(int index) {
        throw new IllegalArgumentException();
      }

      @Override
      public int size() {
        return 1;
      }
    };
    var error = assertThrows(IllegalArgumentException.class, () -> client.putValue(List.of(1, own)));
    assertTrue(error.getMessage().startsWith("put: $[1]"), error.getMessage());
  }

  @Test
  void whatIsInTheStoreAlreadyIsLinkedToAndNotPut() {
    ObjectId id = client.putValue(new long[] {1});
    try (Tensor tensor = client.getTensor(id)) {
      for (Object value : List.of(id, tensor)) {
        var error = assertThrows(IllegalArgumentException.class, () -> client.putValue(value));
        assertTrue(error.getMessage().contains("in the store already"), error.getMessage());
      }
    }
    try (VineyardObject object = client.get(client.putValue(new ObjectMeta("example::T").set("a", 1)))) {
      assertEquals(1, object.getLong("a"));
    }
  }

  @Test
  void aWatchEndsWithItsClient() {
    Client other = daemon.connect();
    Watch watch = other.watch();
    assertTrue(watch.poll(Duration.ZERO).isEmpty());
    other.close();
    assertFalse(watch.hasNext());
    watch.close();
    assertFalse(watch.hasNext());
    assertFalse(other.isConnected());
  }

  @Test
  void bytesOfEveryKindArePutFromAnArray() {
    for (BlobKind kind : BlobKind.values()) {
      try (Blob blob = client.getBlob(client.put(new byte[] {1, 2}, kind))) {
        assertEquals(kind, blob.kind());
        assertArrayEquals(new byte[] {1, 2}, blob.toByteArray());
      }
    }
    assertTrue(client.sync(Duration.ofSeconds(100)).compareTo(Position.NONE) >= 0);
    assertEquals(2, ((ByteBuffer) client.getValue(client.put(new byte[] {1, 2}, BlobKind.BUFFER))).remaining());
  }
}
