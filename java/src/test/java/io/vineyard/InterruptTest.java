package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Thread.interrupt ends what waits. */
class InterruptTest extends WithClient {
  private static final Duration LONG = Duration.ofDays(1);
  private static final Duration PATIENCE = Duration.ofSeconds(100);

  private record Outcome(Throwable thrown, boolean stillInterrupted) {}

  /** Interrupts a thread in the middle of this; `seen`: the daemon knows of one that waits. */
  private void assertInterrupted(boolean seen, Executable wait) throws InterruptedException, ExecutionException, TimeoutException {
    CompletableFuture<Outcome> outcome = new CompletableFuture<>();
    CountDownLatch begun = new CountDownLatch(1);
    long waits = waits();
    Thread thread = new Thread(() -> {
      begun.countDown();
      Throwable thrown = null;
      try {
        wait.execute();
      } catch (Throwable error) {
        thrown = error;
      }
      outcome.complete(new Outcome(thrown, Thread.currentThread().isInterrupted()));
    });
    thread.setDaemon(true);
    thread.start();
    begun.await();
    while (seen && waits() == waits && !outcome.isDone()) {
      Thread.onSpinWait();
    }
    thread.interrupt();
    Outcome found = outcome.get(100, TimeUnit.SECONDS);
    assertInstanceOf(VineyardException.Interrupted.class, found.thrown);
    assertEquals(Status.INTERRUPTED, ((VineyardException) found.thrown).status());
    assertTrue(found.thrown.getMessage().startsWith("the thread was interrupted while it waited: "), found.thrown.getMessage());
    assertTrue(found.stillInterrupted);
  }

  private long waits() {
    return (Long) client.status().get("waits");
  }

  @Test
  void aWaitForAName() throws Exception {
    try (Client other = daemon.connect()) {
      assertInterrupted(true, () -> other.waitForName("nobody gives it", LONG));
      assertFalse(other.status().isEmpty());  // and the client goes on
    }
  }

  @Test
  void aWaitForAnObject() throws Exception {
    try (Client other = daemon.connect(); BlobWriter writer = other.createBlob(8)) {
      assertInterrupted(true, () -> other.waitFor(writer.id(), LONG));
    }
  }

  @Test
  void aWaitForAPosition() throws Exception {
    try (Client other = daemon.connect()) {
      Position now = other.position();
      assertInterrupted(false, () -> other.waitFor(new Position(now.generation(), now.entries() + 1000), LONG));
    }
  }

  @Test
  void aWatch() throws Exception {
    try (Client other = daemon.connect(); Watch watch = other.watch()) {
      assertInterrupted(false, () -> watch.poll(LONG));
      assertInterrupted(false, watch::hasNext);
      assertInterrupted(false, watch::next);
      ObjectId id = client.putValue(1L);  // and the watch goes on
      client.persist(id);
      assertEquals(id, watch.next().id());
    }
  }

  @Test
  void whoIsInterruptedAlreadyWaitsForNothingAndClosesAllTheSame() throws Exception {
    Client other = daemon.connect();
    CompletableFuture<Throwable> thrown = CompletableFuture.supplyAsync(() -> {
      Thread.currentThread().interrupt();
      try {
        return assertThrows(VineyardException.class, () -> other.waitForName("nobody gives it", LONG));
      } finally {
        other.close();
        assertTrue(Thread.interrupted());
      }
    });
    assertInstanceOf(VineyardException.Interrupted.class, thrown.get(100, TimeUnit.SECONDS));
    // Its goodbye was said: the daemon ends the session as soon as it sees that its memory is not mapped any more.
    long end = System.nanoTime() + PATIENCE.toNanos();
    while ((Long) client.status().get("sessions") != 1) {
      assertTrue(System.nanoTime() < end, () -> client.status().toString());
    }
  }
}
