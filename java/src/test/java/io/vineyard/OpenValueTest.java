package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What a value reads in place is given back by its close, and by an error in the middle, without a collector. */
class OpenValueTest extends WithClient {
  private static final long PATIENCE_NS = 100_000_000_000L;

  private long used() {
    return (Long) client.status().get("memory_used");
  }

  private void awaitAllGivenBack() {
    for (long end = System.nanoTime() + PATIENCE_NS; used() != 0; ) {
      assertTrue(System.nanoTime() < end, () -> "used: " + used() + " bytes");
    }
  }

  @Test
  void aCloseGivesBackWhatLiesDeepInAValue() {
    ObjectId id = client.putValue(List.of(Tuple.of(new double[100_000], "text"),
        Map.of("buffer", ByteBuffer.allocateDirect(1 << 20), "bytes", new byte[] {1, 2})));
    OpenValue open = client.openValue(id);
    client.delete(id);
    List<?> value = (List<?>) open.get();
    Tensor array = (Tensor) ((Tuple) value.get(0)).get(0);
    assertEquals(100_000, array.as(Float64Array.class).toArray().length);
    assertInstanceOf(ByteBuffer.class, ((Map<?, ?>) value.get(1)).get("buffer"));
    assertTrue(used() >= (1 << 20) + 800_000);
    open.close();
    awaitAllGivenBack();
    assertThrows(IllegalStateException.class, () -> array.as(Float64Array.class));
    assertEquals("text", ((Tuple) value.get(0)).get(1));
    assertEquals(2, ((byte[]) ((Map<?, ?>) value.get(1)).get("bytes"))[1]);
  }

  @Test
  void aValueWithoutPayloadHasNothingToClose() {
    try (OpenValue open = client.openValue(client.putValue(List.of(1L, "text")))) {
      assertEquals(List.of(1L, "text"), open.get());
      assertEquals("OpenValue[0 in place]", open.toString());
    }
  }

  @Test
  void anErrorHalfwayLeavesNothingOpen() {
    ObjectId unknown = client.put(new ObjectMeta("example::T").set("field", 1));
    ObjectId id = client.putValue(List.of(new double[100_000], ByteBuffer.allocateDirect(1 << 20), unknown));
    assertThrows(VineyardException.TypeMismatch.class, () -> client.getValue(id));
    client.delete(id);
    client.clear();
    awaitAllGivenBack();
  }
}
