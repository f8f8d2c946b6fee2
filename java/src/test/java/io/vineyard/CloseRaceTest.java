package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Many threads with one client, blob, watch; and what is closed by another thread in the middle of their calls. */
class CloseRaceTest extends WithClient {
  private static final Duration LONG = Duration.ofDays(1);
  private static final long PATIENCE_MS = 100_000;
  private static final int MIB = 1 << 20;

  /** Threads that fail the test with what they throw, but for what a close may do to them. */
  private static final class Crew {
    final List<Thread> threads = new ArrayList<>();
    final List<Throwable> wrong = Collections.synchronizedList(new ArrayList<>());

    /** Runs until it ends, or throws what a closed thing throws. */
    void add(String name, Runnable work) {
      Thread thread = new Thread(() -> {
        try {
          work.run();
        } catch (IllegalStateException | VineyardException closed) {
          // As promised.
        } catch (Throwable error) {
          wrong.add(error);
        }
      }, name);
      threads.add(thread);
      thread.setDaemon(true);
      thread.start();
    }

    void join() throws InterruptedException {
      for (Thread thread : threads) {
        thread.join(PATIENCE_MS);
        assertFalse(thread.isAlive(), () -> "'" + thread.getName() + "' hangs: " + List.of(thread.getStackTrace()));
      }
      assertEquals(List.of(), wrong);
    }
  }

  private static Map<String, Consumer<Client>> calls() {
    ObjectId never = new ObjectId(12345);
    Map<String, Consumer<Client>> calls = new LinkedHashMap<>();
    calls.put("wait for a name", client -> client.waitForName("nobody gives it", LONG));
    calls.put("wait for an object", client -> {
      try (BlobWriter writer = client.createBlob(8)) {
        client.waitFor(writer.id(), LONG);
      }
    });
    calls.put("put 1 MiB", client -> client.delete(client.put(new byte[MIB])));
    calls.put("put direct bytes", client -> client.delete(client.put(ByteBuffer.allocateDirect(MIB), BlobKind.BYTES)));
    calls.put("put an array", client -> client.delete(client.putValue(new double[MIB / 8])));
    calls.put("put a tree", client -> client.delete(client.putValue(List.of("text", new double[100], Map.of(1L, 2L)))));
    calls.put("write in place", client -> {
      try (BlobWriter writer = client.createBlob(MIB)) {
        writer.buffer().put(0, new byte[MIB]);
        client.delete(writer.seal());
      }
    });
    calls.put("get", client -> {
      try (Blob blob = client.getBlob(client.put(new byte[100]))) {
        blob.toByteArray();
        client.delete(blob.id());
      }
    });
    calls.put("value", client -> client.getValue(client.putValue(Map.of("k", new long[] {1}))));
    calls.put("list", client -> {
      try (Stream<ObjectId> list = client.list("*")) {
        list.count();
      }
    });
    calls.put("names", client -> {
      client.replaceName("race " + ThreadLocalRandom.current().nextInt(10), ObjectId.EMPTY_BLOB);
      client.names("*").toList();
    });
    calls.put("poll a watch", client -> {
      try (Watch watch = client.watch()) {
        watch.poll(LONG);
      }
    });
    calls.put("read a watch", client -> {
      try (Watch watch = client.watch()) {
        watch.forEachRemaining(event -> {});
      }
    });
    calls.put("status", Client::status);
    calls.put("statistics", Client::statistics);
    calls.put("is connected", Client::isConnected);
    calls.put("sync", Client::sync);
    calls.put("labels", client -> {
      ObjectId id = client.putValue(1L);
      client.setLabel(id, "k", "v");
      client.labels(id);
    });
    return calls;
  }

  @Test
  void aClientClosedInTheMiddleOfCallsEndsThem() throws InterruptedException {
    Map<String, Consumer<Client>> calls = calls();
    for (int round = 0; round < 20; ++round) {
      Client shared = daemon.connect();
      Crew crew = new Crew();
      CountDownLatch working = new CountDownLatch(calls.size());
      calls.forEach((name, call) -> crew.add(name, () -> {
        working.countDown();
        for (;;) {
          call.accept(shared);
          if (!shared.isConnected()) {
            return;
          }
        }
      }));
      working.await();
      for (int i = 0; i < 5 * round; ++i) {  // sooner and later
        client.status();
      }
      shared.close();
      crew.join();
    }
  }

  @Test
  void manyThreadsUseOneClient() throws InterruptedException {
    Crew crew = new Crew();
    List<Integer> done = Collections.synchronizedList(new ArrayList<>());
    for (int i = 0; i < 16; ++i) {
      int number = i;
      crew.add("user " + i, () -> {
        for (int j = 0; j < 50; ++j) {
          long[] mine = new long[1000 * number + j];
          java.util.Arrays.fill(mine, number);
          ObjectId id = client.putValue(mine);
          client.putName("user " + number, id);
          try (Tensor tensor = client.getTensor(client.getName("user " + number).id())) {
            assertArrayEquals(mine, tensor.as(Int64Array.class).toArray());
          }
          client.dropName("user " + number);
          client.delete(id);
        }
        done.add(number);
      });
    }
    crew.join();
    assertEquals(16, done.size());
  }

  @Test
  void aBlobClosedInTheMiddleOfReadsIsReadRightOrClosed() throws InterruptedException {
    byte[] bytes = new byte[] {1, 2, 3, 4, 5, 6, 7, 8};
    ObjectId id = client.put(ByteBuffer.wrap(bytes), BlobKind.BYTEARRAY);
    long stored;
    try (Blob blob = client.getBlob(id)) {
      stored = blob.storedSize();
    }
    for (int round = 0; round < 300; ++round) {
      Blob blob = client.getBlob(id);
      VineyardObject object = client.get(id);
      CountDownLatch begun = new CountDownLatch(1);
      Crew crew = new Crew();
      crew.add("reader", () -> {
        for (;;) {
          assertEquals(BlobKind.BYTEARRAY, blob.kind());
          assertEquals(stored, blob.storedSize());
          blob.buffer();
          blob.as(Int64Array.class);
          assertEquals("vineyard::Blob", object.typeName());
          object.blob().close();
          begun.countDown();
        }
      });
      begun.await(PATIENCE_MS, TimeUnit.MILLISECONDS);
      blob.close();
      object.close();
      crew.join();
    }
  }

  @Test
  void aWatchClosedInTheMiddleOfAWaitEnds() throws InterruptedException {
    for (int round = 0; round < 5; ++round) {
      Watch polled = client.watch();
      Watch iterated = client.watch();
      Crew crew = new Crew();
      CountDownLatch waiting = new CountDownLatch(2);
      crew.add("poll", () -> {
        waiting.countDown();
        polled.poll(LONG);
      });
      crew.add("iterate", () -> {
        waiting.countDown();
        assertFalse(iterated.hasNext());
      });
      waiting.await();
      polled.close();
      iterated.close();
      crew.join();
    }
  }
}
