package io.vineyard.internal;

import java.util.function.LongUnaryOperator;
import java.util.function.Supplier;

/**
 * Holds one native handle from the return of the call that made it until the Java object that owns it exists, also where
 * there is no memory or stack for that object: what {@link #own} could not hand over is given back by the next call of it.
 *
 * <p>Nothing is lost between: a holder is allocated before the native call, whose answer is stored into it before anything
 * else is called or allocated, and a holder without an owner is put into a list that needs neither a call nor memory. A call that
 * was entered can be left: that takes fewer frames than the native call that was made in between.
 */
public abstract class Holder {
  // Guards `ownerless` and `next`.
  private static final Object LOCK = new Object();
  private static final int FRAMES = 48;  // of nothing but themselves: more than a release has of its own

  private static volatile Holder ownerless;

  /** The native handle; 0: none yet, or given back. */
  long pointer;
  private final boolean memory;  // of the store is kept by it
  private boolean counted;
  private Holder next;

  Holder(boolean memory) {
    this.memory = memory;
  }

  /** Gives the native handle back if that was not done. More than once is allowed. */
  abstract void giveBack();

  /**
   * Makes what owns a native handle.
   *
   * @param holder is given back when that fails; the owner may have been told of it already
   * @param user is in use during the call; null: none
   * @param call is given the native handle of `user`, and answers the one to own as the last that it does
   * @param owner makes the owner of `holder`
   */
  public static <T> T own(Holder holder, Handle user, LongUnaryOperator call, Supplier<T> owner) {
    if (ownerless != null) {
      releaseOwnerless();
    }
    try {
      if (user == null) {
        holder.pointer = call.applyAsLong(0);
      } else {
        long of = user.enter();
        try {
          holder.pointer = call.applyAsLong(of);
        } finally {
          user.leave();
        }
      }
      if (holder.memory) {
        Unclosed.add();
        holder.counted = true;
      }
      return owner.get();
    } catch (Throwable error) {
      if (holder.pointer != 0) {
        synchronized (LOCK) {
          holder.next = ownerless;
          ownerless = holder;
        }
        try {
          releaseOwnerless();
        } catch (StackOverflowError later) {
          // The next call has more of it.
        }
      }
      throw error;
    }
  }

  /** The native handle was given back, once. */
  final void gone() {
    if (counted) {
      Unclosed.remove();
    }
  }

  private static void releaseOwnerless() {
    room();
    for (;;) {
      Holder holder;
      synchronized (LOCK) {
        holder = ownerless;
        if (holder == null) {
          return;
        }
        ownerless = holder.next;
        holder.next = null;
      }
      holder.giveBack();
    }
  }

  /** Fails where there is not as much stack as a release takes: it fails here, and not in the middle of it. */
  static void room() {
    room(FRAMES);
  }

  private static int room(int frames) {
    return frames == 0 ? 0 : 1 + room(frames - 1);
  }
}
