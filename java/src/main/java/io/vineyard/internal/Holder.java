package io.vineyard.internal;

import java.util.function.LongUnaryOperator;
import java.util.function.Supplier;

/**
 * Holds one native handle from the return of the call that made it until the Java object that owns it exists. Java may run out of
 * memory or stack in between, and nobody would give the handle back then: {@link #own} does, or its next call that has the stack.
 *
 * <p>Nothing is lost between: a holder is allocated before the native call, whose answer is stored into it before anything
 * else is called or allocated, and a holder without an owner is put into a list that needs neither a call nor memory.
 */
public abstract class Holder {
  // Guards `ownerless` and `next`.
  private static final Object LOCK = new Object();
  // A release that runs out of stack in its middle can not be taken up again. It is begun only where so many calls go into each
  // other: these are small, and a release has fewer, but larger ones.
  private static final int FRAMES = 48;

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
          // Not even for that call: the next one of this has more.
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

  // As many as there are, or stack for: what fails here is no failure of the call that does it.
  private static void releaseOwnerless() {
    for (;;) {
      Holder holder;
      try {
        room();
        holder = takeOwnerless();
      } catch (StackOverflowError later) {
        return;  // the next call has more of it
      }
      if (holder == null) {
        return;
      }
      try {
        holder.giveBack();
      } catch (RuntimeException | Error failed) {
        // It was given back as far as can be; the others are not to stay because of it.
      }
    }
  }

  private static Holder takeOwnerless() {
    synchronized (LOCK) {
      Holder holder = ownerless;
      if (holder != null) {
        ownerless = holder.next;
        holder.next = null;
      }
      return holder;
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
