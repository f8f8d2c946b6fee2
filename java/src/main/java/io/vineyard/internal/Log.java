package io.vineyard.internal;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What the library says on its own: by slf4j, and nothing where that is not on the class path. */
final class Log {
  private Log() {}

  /** The collector found it, which may have taken long. */
  static void neverClosed(String what) {
    try {
      Slf4j.LOGGER.warn("{}: it was never closed; the collector has found it now", what);
    } catch (LinkageError ignored) {
      // Without slf4j.
    }
  }

  /** The store was full: how many pins and writers there were before and after a collection. */
  static void collected(long before, long after) {
    try {
      Slf4j.LOGGER.debug("the store is full: of {} pins and writers that nobody closed the collector has left {}", before, after);
    } catch (LinkageError ignored) {
      // Without slf4j.
    }
  }

  private static final class Slf4j {
    static final Logger LOGGER = LoggerFactory.getLogger("io.vineyard");
  }
}
