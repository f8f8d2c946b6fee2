package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vineyard.internal.Unclosed;
import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A store that is full of what nobody has closed and nobody can reach. */
class FullStoreTest extends WithClient {
  private static final int ROUNDS = 200;  // of 8 MiB each, of which the store holds 31
  private static final long PATIENCE_NS = 100_000_000_000L;
  private final double[] numbers = new double[1 << 20];

  @BeforeEach
  void forgetWhatWasForNothing() {
    Unclosed.forget();
  }

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

  // Regression: what one thread's collection had found others took, and it was told that nothing was found.
  @Test
  void threadsThatReadInALoopTakeFromEachOtherWhatTheCollectorFinds() throws Exception {
    int threads = 4;
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      List<Future<Integer>> all = new ArrayList<>();
      for (int t = 0; t < threads; ++t) {
        all.add(pool.submit(() -> {
          Blob last = null;  // each holds one at a time
          for (int i = 0; i < 40; ++i) {
            ObjectId id = client.put(new byte[1 << 20]);
            last = client.getBlob(id);
            client.delete(id);
          }
          return last.buffer().capacity();
        }));
      }
      for (Future<Integer> one : all) {
        assertEquals(1 << 20, one.get(100, TimeUnit.SECONDS));
      }
    } finally {
      pool.shutdownNow();
    }
  }

  // How often a call is made that says that the store is full, and nobody can reach a blob that is held.
  private int attempts(ObjectId garbage, long stored) {
    client.getBlob(garbage);
    int[] attempts = new int[1];
    assertThrows(VineyardException.StoreFull.class, () -> Connection.allocate(() -> {
      ++attempts[0];
      throw VineyardException.of(Status.OUT_OF_MEMORY, "full").withStored(stored);
    }));
    return attempts[0];
  }

  @Test
  void aPutThatHasStoredSomethingIsNotMadeAgain() {
    ObjectId garbage = client.put(new byte[1000]);
    long end = System.nanoTime() + PATIENCE_NS;
    while (attempts(garbage, 0) == 1) {  // the collector is asked so often, and no more
      assertTrue(System.nanoTime() < end);
    }
    assertEquals(1, attempts(garbage, 12345));
  }

  @Test
  void aThreadThatIsInterruptedAsksNoCollector() {
    try (Blob held = client.getBlob(client.put(new byte[1000]))) {
      int collections = 0;
      Thread.currentThread().interrupt();
      for (int i = 0; i < 100; ++i) {
        WeakReference<Object> garbage = new WeakReference<>(new Object());
        assertFalse(Unclosed.collect());
        collections += garbage.get() == null ? 1 : 0;
      }
      assertTrue(Thread.interrupted());
      assertTrue(collections < 50, collections + " collections");  // the JVM may make some by itself
      assertEquals(1000, held.size());
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
