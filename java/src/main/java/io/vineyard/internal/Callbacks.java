package io.vineyard.internal;

import java.util.function.BiFunction;

/** What the native library calls: exceptions are made here, and waits end here. */
public final class Callbacks {
  private static volatile BiFunction<Integer, String, Throwable> exceptions =
      (status, text) -> new IllegalStateException(text);

  private Callbacks() {}

  /** Says how exceptions are made; the package above does, once. */
  public static void setExceptions(BiFunction<Integer, String, Throwable> made) {
    exceptions = made;
  }

  /** Called by the native library: the exception for a failing status. */
  static Throwable exceptionOf(int status, byte[] text) {
    return exceptions.apply(status, Utf8.text(text));
  }

  /** Called by a native function that waits, at least every 100 ms: whether it may go on. */
  static boolean mayWait() {
    return !Thread.currentThread().isInterrupted();
  }
}
