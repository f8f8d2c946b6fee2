package io.vineyard.internal;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;

/**
 * What of the store this process holds (pins, writers) until somebody closes it or the collector finds it: where the store is
 * full the collector is asked to, since it knows nothing of the store and may let garbage lie for long. Thread-safe.
 */
public final class Unclosed {
  private static final Object LOCK = new Object();
  private static final long LONGEST_MS = 500;  // for the cleaner to do what the collector has found
  private static final int WORTH = 10;  // of all time, at most one part in so many goes into collections for nothing

  private static final LongAdder HELD = new LongAdder();
  private static volatile int collections;
  private static long notBeforeNs = System.nanoTime();

  private Unclosed() {}

  static void add() {
    HELD.increment();
  }

  static void remove() {
    HELD.decrement();
  }

  /** How many of them there are. */
  public static long held() {
    return HELD.sum();
  }

  /**
   * Lets the collector look for what nobody closed and nobody can reach.
   *
   * @return whether something may have been given back; never for a thread that is interrupted, which can not wait for it
   */
  public static boolean collect() {
    if (Thread.currentThread().isInterrupted()) {
      return false;
    }
    int seen = collections;
    synchronized (LOCK) {
      if (collections != seen) {
        return true;  // another thread has, meanwhile
      }
      long held = held();
      long beginNs = System.nanoTime();
      if (held <= 0 || beginNs - notBeforeNs < 0) {
        return false;
      }
      boolean found = false;
      try {
        found = collect(held);
        ++collections;
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
      } finally {
        if (!found) {
          long endNs = System.nanoTime();
          notBeforeNs = endNs + WORTH * (endNs - beginNs);
        }
      }
      Log.collected(held, held());
      return found;
    }
  }

  private static boolean collect(long held) throws InterruptedException {
    CountDownLatch reached = new CountDownLatch(1);
    Handle.CLEANER.register(new Object(), reached::countDown);
    System.gc();
    // That one was found: the rest of what the collection has found is being done, in no order.
    reached.await(LONGEST_MS, TimeUnit.MILLISECONDS);
    long last = Long.MAX_VALUE;
    long now = held();
    for (int waited = 0; now < last && waited < LONGEST_MS; waited += 10) {
      Thread.sleep(10);
      last = now;
      now = held();
    }
    return now < held;
  }
}
