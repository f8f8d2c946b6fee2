package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A store that is full of what nobody has closed and nobody can reach. */
class FullStoreTest extends WithClient {
  private static final int ROUNDS = 200;  // of 8 MiB each, of which the store holds 31
  private final double[] numbers = new double[1 << 20];

  private List<Object> value() {
    return List.of(numbers, ByteBuffer.allocateDirect(8));
  }

  @Test
  void valuesThatAreReadInALoopNeedNoClose() {
    for (int i = 0; i < ROUNDS; ++i) {
      numbers[0] = i;
      ObjectId id = client.putValue(value());
      assertEquals(i, ((Tensor) ((List<?>) client.getValue(id)).get(0)).as(Float64Array.class).get(0));
      client.delete(id);
    }
  }

  @Test
  void objectsThatAreReadInALoopNeedNoClose() {
    byte[] bytes = new byte[8 << 20];
    for (int i = 0; i < ROUNDS; ++i) {
      ObjectId id = client.put(bytes);
      assertEquals(bytes.length, client.get(id).blob().size());
      client.delete(id);
    }
  }

  @Test
  void writersInALoopNeedNoClose() {
    for (int i = 0; i < ROUNDS; ++i) {
      client.createBlob(8 << 20).buffer().put(0, (byte) 1);
    }
  }

  @Test
  void whatCanBeReachedStaysAndTheStoreIsFull() {
    List<Tensor> kept = new ArrayList<>();
    assertThrows(VineyardException.StoreFull.class, () -> {
      for (;;) {
        numbers[0] = kept.size();
        ObjectId id = client.putValue(numbers);
        kept.add(client.getTensor(id));
        client.delete(id);
      }
    });
    for (int i = 0; i < kept.size(); ++i) {
      assertEquals(i, kept.get(i).as(Float64Array.class).get(0));
    }
    kept.forEach(Tensor::close);
    client.putValue(numbers);
  }
}
