package io.vineyard.internal;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;
import java.util.function.LongFunction;

/**
 * One handle of the native library: counts the calls that use it, and frees it when it is closed and the last of them
 * has returned, so that a close in the middle of another thread's call is safe. Thread-safe.
 *
 * <p>{@code uses} is the number of calls, with {@link #CLOSED} added once it is closed; whoever brings it to exactly
 * {@code CLOSED} frees.
 */
public final class Handle extends Holder implements Runnable {
  /** One for all: a thread that gives back what nobody closed. */
  public static final Cleaner CLEANER = Cleaner.create();

  private static final long CLOSED = 1L << 62;

  private final LongConsumer end, free;
  private final AtomicLong uses = new AtomicLong();
  private String what;
  int unleft;  // calls that have ended and could not leave; guarded by LOCK
  private boolean unfreed;  // it is to be freed, and that has failed; guarded by LOCK
  private volatile boolean asked;  // somebody closes it, not the collector

  /**
   * Not of a handle yet: {@link Holder#own} brings it.
   *
   * @param what names it in errors: "client /run/v.sock"
   * @param end called when somebody closes it, before other calls have returned, of what holds more than memory: it is said when
   *     that was left to the collector; null: nothing, and it may be
   * @param free called when nobody uses it any more: ends it, too
   * @param memory whether it keeps memory of the store
   */
  public Handle(String what, LongConsumer end, LongConsumer free, boolean memory) {
    super(memory);
    this.what = what;
    this.end = end;
    this.free = free;
  }

  /** For who makes the owner: the native handle, before anybody can close it. */
  public long pointer() {
    return pointer;
  }

  /** For who makes the owner: what names it in errors. */
  public void rename(String name) {
    what = name;
  }

  /**
   * Makes a call with the native handle, which is not freed before it has returned.
   *
   * @param owner is not collected before, either: its cleaner would end what the call uses
   * @throws IllegalStateException it is closed
   */
  public <T> T use(Object owner, LongFunction<T> call) {
    long handle = enter();
    try {
      return call.apply(handle);
    } finally {
      try {
        leave();
      } catch (StackOverflowError later) {
        synchronized (LOCK) {
          ++unleft;
          next = listed ? next : unfinished;
          unfinished = listed ? unfinished : this;
          listed = true;
        }
      }
      Reference.reachabilityFence(owner);
    }
  }

  /** Begins a call that {@link #use} can not hold: {@link #leave()} ends it, and the caller keeps the owner. */
  long enter() {
    for (;;) {
      long now = uses.get();
      if (now >= CLOSED) {
        throw new IllegalStateException(what + ": it is closed");
      }
      if (uses.compareAndSet(now, now + 1)) {
        return pointer;
      }
    }
  }

  /** Ends a call. Where the stack ends in it, it has not left. */
  void leave() {
    long now;
    do {  // not decrementAndGet, which takes more stack
      now = uses.get();
    } while (!uses.compareAndSet(now, now - 1));
    if (now != CLOSED + 1) {
      return;
    }
    try {
      giveFree();
    } catch (StackOverflowError | OutOfMemoryError later) {
      synchronized (LOCK) {
        unfreed = true;
        next = listed ? next : unfinished;
        unfinished = listed ? unfinished : this;
        listed = true;
      }
    }
  }

  // Nobody uses it any more.
  private void giveFree() {
    if (pointer != 0) {
      free.accept(pointer);
      pointer = 0;
    }
    gone();
  }

  /** Closes for somebody: twice is allowed. `cleanable` is what calls {@link #run}, for a collected `owner`. */
  public void close(Object owner, Cleaner.Cleanable cleanable) {
    room();
    asked = true;
    try {
      cleanable.clean();
    } catch (StackOverflowError | OutOfMemoryError later) {
      synchronized (LOCK) {
        toEnd = true;
        next = listed ? next : unfinished;
        unfinished = listed ? unfinished : this;
        listed = true;
      }
      throw later;
    }
    Reference.reachabilityFence(owner);  // the collector would have closed it, and said that nobody had
  }

  /** Closes, at most once: for {@link #close}, or when the collector has found what nobody closed. */
  @Override
  public void run() {
    for (;;) {
      long now = uses.get();
      if (now >= CLOSED) {
        return;
      }
      if (uses.compareAndSet(now, now + 1 + CLOSED)) {
        break;
      }
    }
    try {
      if (asked && end != null) {
        end.accept(pointer);
      }
    } finally {
      try {
        leave();
      } catch (StackOverflowError later) {
        synchronized (LOCK) {
          ++unleft;
          next = listed ? next : unfinished;
          unfinished = listed ? unfinished : this;
          listed = true;
        }
      }
    }
    if (!asked) {
      Unclosed.found();
    }
    if (!asked && end != null) {
      Log.neverClosed(what);
    }
  }

  @Override
  void giveBack() {
    asked = true;
    run();
  }

  @Override
  synchronized void finish() {
    boolean ends, frees;
    int leaves;
    synchronized (LOCK) {
      ends = toEnd;
      frees = unfreed;
      leaves = unleft;
    }
    for (; leaves > 0; --leaves) {
      leave();
      synchronized (LOCK) {
        --unleft;
      }
    }
    if (frees) {
      giveFree();
      synchronized (LOCK) {
        unfreed = false;
      }
    }
    if (ends) {
      giveBack();
      synchronized (LOCK) {
        toEnd = false;
      }
    }
  }

  public boolean isClosed() {
    return uses.get() >= CLOSED;
  }

  @Override
  public String toString() {
    return what;
  }
}
