package io.vineyard.internal;

import java.util.function.LongUnaryOperator;
import java.util.function.Supplier;

/**
 * Holds one native handle from the return of the call that made it until it was given back. Java may run out of stack or memory
 * anywhere in between, and then what is still to be done to it is put on a list, which needs neither a call nor memory: written
 * out wherever it is done, since a method for it would be a call.
 *
 * <ul>
 *   <li>A holder is allocated before the native call, whose answer is stored into it before anything else is called.
 *   <li>Giving back is made of steps that can fail at their beginning only, and remembers which are done: how much stack it will
 *       take nobody can know beforehand (compiled frames are a tenth of others), so it may be cut short anywhere and goes on later.
 *   <li>What is on the list is done by the next call of {@link #own} that has the stack, or by the collector's thread.
 * </ul>
 */
public abstract class Holder {
  /** Guards the list, and what is still to be done to those on it. */
  static final Object LOCK = new Object();
  // Where there are fewer, it is not even tried.
  private static final int FRAMES = 48;
  private static final Runnable LATER = () -> {
    synchronized (LOCK) {
      leftToCollector = false;
    }
    takeUp();
  };

  static volatile Holder unfinished;
  private static boolean leftToCollector;  // guarded by LOCK

  /** The native handle; 0: none yet, or given back. */
  long pointer;
  /** The next on the list, if it is `listed`. Its owner could not be made, or not be closed: it is `toEnd`. */
  Holder next;
  boolean listed, toEnd;
  private final boolean memory;  // of the store is kept by it
  private boolean counted;

  Holder(boolean memory) {
    this.memory = memory;
  }

  /** Gives the native handle back if that was not done. More than once is allowed. */
  abstract void giveBack();

  /** Does what is still to be done. Only whoever took it from the list calls it; what fails is tried again. */
  void finish() {
    giveBack();
  }

  /**
   * Makes what owns a native handle.
   *
   * @param holder is given back when that fails; the owner may have been told of it already
   * @param user is in use during the call; null: none
   * @param call is given the native handle of `user`, and answers the one to own as the last that it does
   * @param owner makes the owner of `holder`
   */
  public static <T> T own(Holder holder, Handle user, LongUnaryOperator call, Supplier<T> owner) {
    if (unfinished != null) {
      takeUp();
    }
    try {
      if (user == null) {
        holder.pointer = call.applyAsLong(0);
      } else {
        long of = user.enter();
        try {
          holder.pointer = call.applyAsLong(of);
        } finally {
          try {
            user.leave();
          } catch (StackOverflowError later) {
            synchronized (LOCK) {
              ++user.unleft;
              user.next = user.listed ? user.next : unfinished;
              unfinished = user.listed ? unfinished : user;
              user.listed = true;
            }
          }
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
          holder.toEnd = true;
          holder.next = holder.listed ? holder.next : unfinished;
          unfinished = holder.listed ? unfinished : holder;
          holder.listed = true;
        }
        try {
          takeUp();
        } catch (StackOverflowError later) {
          // Not even for that call: the next one of this has more.
        }
      }
      throw error;
    }
  }

  /** The native handle was given back. More than once is allowed. */
  final void gone() {
    if (counted) {
      Unclosed.remove();
      counted = false;
    }
  }

  /** Goes on with those on the list, as many as there is stack for: what fails here is no failure of the call that does it. */
  private static void takeUp() {
    boolean begun = false;
    for (Holder holder; (holder = unfinished) != null;) {
      try {
        room();
        holder = take();
        begun = true;
        if (holder != null) {
          holder.finish();
        }
        begun = false;
      } catch (StackOverflowError | OutOfMemoryError later) {
        if (begun && holder != null) {
          synchronized (LOCK) {
            holder.next = holder.listed ? holder.next : unfinished;
            unfinished = holder.listed ? unfinished : holder;
            holder.listed = true;
          }
        }
        leaveToCollector();
        return;
      } catch (RuntimeException | Error failed) {
        begun = false;  // it was given back as far as can be; the others are not to stay because of it
      }
    }
  }

  private static Holder take() {
    synchronized (LOCK) {
      Holder holder = unfinished;
      if (holder != null) {
        unfinished = holder.next;
        holder.next = null;
        holder.listed = false;
      }
      return holder;
    }
  }

  // Its thread has a stack of its own, and finds what nobody can reach: here something that nobody ever could.
  private static void leaveToCollector() {
    synchronized (LOCK) {
      if (leftToCollector) {
        return;
      }
      leftToCollector = true;
    }
    try {
      Handle.CLEANER.register(new Object(), LATER);
    } catch (StackOverflowError | OutOfMemoryError later) {
      synchronized (LOCK) {
        leftToCollector = false;  // nor is there room for that: the next call of own() has it
      }
    }
  }

  /** Fails where there is hardly any stack left: it fails here, before anything is begun. */
  static void room() {
    room(FRAMES);
  }

  private static int room(int frames) {
    return frames == 0 ? 0 : 1 + room(frames - 1);
  }
}
