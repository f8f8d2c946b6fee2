package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vineyard.internal.Arena;
import io.vineyard.internal.Unclosed;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Payloads of Java's heap that are too large for a message. */
class LargePutTest extends WithClient {
  private static final int SIZE = 1 << 20;

  @Test
  void asManyBytesAsABufferCanHaveAreTakenOutsideOfTheHeap() {
    try (Arena arena = new Arena()) {
      long small = arena.take(10, to -> assertEquals(10, to.capacity()));
      long large = arena.take(Integer.MAX_VALUE, to -> assertEquals(Integer.MAX_VALUE, to.capacity()));
      assertNotEquals(small, large);
      assertEquals(small + 16, arena.take(1, to -> to.put((byte) 1)));
      assertEquals(small + 32, arena.take(1, to -> to.put((byte) 1)));
    }
  }

  @Test
  void theyAreCopiedOnceWhateverTheOptionsSay() {
    byte[] bytes = new byte[SIZE];
    bytes[SIZE - 1] = 1;
    for (PutOptions options : List.of(PutOptions.DEFAULT, PutOptions.DEFAULT.withPersist(), PutOptions.DEFAULT.withName("large").withReplace())) {
      for (Object value : List.of(bytes, ByteBuffer.wrap(bytes))) {
        long before = client.statistics().copiedPayloadBytes();
        ObjectId id = client.putValue(value, options);
        assertEquals(before + SIZE, client.statistics().copiedPayloadBytes());
        try (Blob blob = client.getBlob(id)) {
          assertArrayEquals(bytes, blob.toByteArray());
        }
      }
    }
  }

  @Test
  void theyLeaveNothingToTheCollector() {
    double[] numbers = new double[SIZE / 8];
    long before = Unclosed.held();
    for (int i = 0; i < 20; ++i) {
      client.put(new byte[SIZE]);
      client.putValue(numbers);
      client.putValue(List.of(new byte[SIZE], numbers));
    }
    assertTrue(Unclosed.held() <= before, () -> before + " before, " + Unclosed.held() + " behind the puts");  // of other tests less
  }
}
