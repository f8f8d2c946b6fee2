package io.vineyard;

import java.util.function.Consumer;

/** Ends many things: each of them, whatever went wrong with those before. */
final class Ends {
  private Ends() {}

  /** Answers what failed first: `before`, or of these; the others are with it. */
  static <T> Throwable each(Iterable<T> things, Consumer<T> end, Throwable before) {
    Throwable first = before;
    for (T thing : things) {
      try {
        end.accept(thing);
      } catch (RuntimeException | Error failed) {
        if (first == null) {
          first = failed;
        } else if (first != failed) {
          first.addSuppressed(failed);
        }
      }
    }
    return first;
  }

  /** Throws what {@link #each} has answered, if anything. */
  static void check(Throwable failed) {
    if (failed instanceof RuntimeException error) {
      throw error;
    }
    if (failed instanceof Error error) {
      throw error;
    }
  }
}
