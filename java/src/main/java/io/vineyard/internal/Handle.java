package io.vineyard.internal;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.Cleaner;
import java.util.function.LongConsumer;

/**
 * One handle of the native library: counts the calls that use it, and frees it when it is closed and the last of them
 * has returned, so that a close in the middle of another thread's call is safe. Thread-safe.
 *
 * <p>{@code uses} is the number of calls (and of handles that need this one), with {@link #CLOSED} added once it is
 * closed; whoever brings it to exactly {@code CLOSED} frees.
 */
public final class Handle implements Runnable {
  /** One for all: a thread that gives back what nobody closed. */
  public static final Cleaner CLEANER = Cleaner.create();

  private static final long CLOSED = 1L << 62;
  private static final VarHandle USES;

  static {
    try {
      USES = MethodHandles.lookup().findVarHandle(Handle.class, "uses", long.class);
    } catch (ReflectiveOperationException error) {
      throw new ExceptionInInitializerError(error);
    }
  }

  private final String what;
  private final long pointer;
  private final LongConsumer end, free;
  private final Handle parent;
  private volatile long uses;
  private boolean asked;  // somebody closes it, not the collector

  /**
   * Takes over a handle.
   *
   * @param what names it in errors: "client /run/v.sock"
   * @param end called at the close, before other calls have returned, of what holds more than memory, so that nobody should
   *     leave it to the collector; null: nothing
   * @param free called when nobody uses it any more
   * @param parent is not freed before this one; null: none. It is in use by the caller.
   */
  public Handle(String what, long pointer, LongConsumer end, LongConsumer free, Handle parent) {
    this.what = what;
    this.pointer = pointer;
    this.end = end;
    this.free = free;
    this.parent = parent;
    if (parent != null) {
      // The caller is in a call of it, so this is not the first and not too late.
      USES.getAndAdd(parent, 1L);
    }
  }

  /**
   * Begins a call; {@link #leave()} ends it.
   *
   * @return the native handle
   * @throws IllegalStateException it is closed
   */
  public long enter() {
    for (;;) {
      long now = uses;
      if (now >= CLOSED) {
        throw new IllegalStateException(what + ": it is closed");
      }
      if (USES.weakCompareAndSet(this, now, now + 1)) {
        return pointer;
      }
    }
  }

  /** Ends a call. */
  public void leave() {
    if ((long) USES.getAndAdd(this, -1L) == CLOSED + 1) {
      free.accept(pointer);
      if (parent != null) {
        parent.leave();
      }
    }
  }

  /** Closes for somebody: twice is allowed. `cleanable` is what calls {@link #run}. */
  public void close(Cleaner.Cleanable cleanable) {
    asked = true;
    cleanable.clean();
  }

  /** Closes, at most once: for {@link #close}, or when the collector has found what nobody closed. */
  @Override
  public void run() {
    if (!asked && end != null) {
      Log.neverClosed(what);
    }
    for (;;) {
      long now = uses;
      if (now >= CLOSED) {
        return;
      }
      if (USES.weakCompareAndSet(this, now, now + 1 + CLOSED)) {
        break;
      }
    }
    try {
      if (end != null) {
        end.accept(pointer);
      }
    } finally {
      leave();
    }
  }

  public boolean isClosed() {
    return uses >= CLOSED;
  }

  @Override
  public String toString() {
    return what;
  }
}
