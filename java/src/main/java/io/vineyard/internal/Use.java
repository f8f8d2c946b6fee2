package io.vineyard.internal;

import java.util.function.Supplier;

/** One call of a {@link Handle} that does not end where it begins: entered by {@link Holder#own}, left by {@link #run}. */
public final class Use extends Holder implements Runnable {
  private final Handle handle;

  /** Not entered yet. */
  public Use(Handle handle) {
    super(false);
    this.handle = handle;
  }

  /** Begins it: for `owner`, which runs this. */
  public <T> T enter(Supplier<T> owner) {
    return own(this, null, none -> handle.enter(), owner);
  }

  /** The native handle. */
  public long pointer() {
    return pointer;
  }

  /** Ends it. More than once is allowed, and before it has begun. */
  @Override
  public void run() {
    giveBack();
  }

  @Override
  synchronized void giveBack() {
    if (pointer != 0) {
      handle.leave();
      pointer = 0;
    }
  }

  @Override
  public String toString() {
    return "use of " + handle;
  }
}
