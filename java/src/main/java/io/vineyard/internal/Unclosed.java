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
  private static final long LONGEST_MS = 2000;  // for the cleaner to begin with what the collector has found, and to do it
  private static final long LOOK_MS = 10;
  private static final int IDLE_LOOKS = 10;  // in a row, in which it has given nothing back: it is done. Each takes a turn of the CPU
  private static final int WORTH = 10;  // of all time, at most one part in so many goes into collections for nothing

  private static final LongAdder MADE = new LongAdder(), GONE = new LongAdder();
  private static final LongAdder FOUND = new LongAdder();  // of those that are gone
  private static volatile int collections;
  private static long notBeforeNs = System.nanoTime();
  private static long madeInVain;  // when a collection found nothing; behind it there may be new garbage

  private Unclosed() {}

  static void add() {
    MADE.increment();
  }

  static void remove() {
    GONE.increment();
  }

  /** The collector has found one, which is given back now. */
  static void found() {
    FOUND.increment();
  }

  /** How many of them there are. */
  public static long held() {
    return MADE.sum() - GONE.sum();
  }

  /** Forgets that collections were for nothing, of which the next one would be put off: for tests, each of which is about its own. */
  public static void forget() {
    synchronized (LOCK) {
      notBeforeNs = System.nanoTime();
    }
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
      if (held <= 0 || beginNs - notBeforeNs < 0 && MADE.sum() == madeInVain) {
        return false;
      }
      boolean found = false;
      try {
        found = runCollector();
        ++collections;
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
      } finally {
        if (!found) {
          long endNs = System.nanoTime();
          notBeforeNs = endNs + WORTH * (endNs - beginNs);
          madeInVain = MADE.sum();
        }
      }
      Log.collected(held, held());
      return found;
    }
  }

  // Whether it has found something: others may hold as much again by then.
  private static boolean runCollector() throws InterruptedException {
    long before = FOUND.sum();
    CountDownLatch reached = new CountDownLatch(1);
    Handle.CLEANER.register(new Object(), reached::countDown);
    System.gc();
    // That one was found: the rest of what the collection has found is being done, in no order.
    reached.await(LONGEST_MS, TimeUnit.MILLISECONDS);
    long last = FOUND.sum();
    for (int idle = 0, looks = 0; idle < IDLE_LOOKS && looks < LONGEST_MS / LOOK_MS; ++looks) {
      Thread.sleep(LOOK_MS);
      long now = FOUND.sum();
      idle = now > last ? 0 : idle + 1;
      last = now;
    }
    return last > before;
  }
}
