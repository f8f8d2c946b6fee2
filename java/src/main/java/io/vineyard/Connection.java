package io.vineyard;

import io.vineyard.internal.Handle;
import io.vineyard.internal.Holder;
import io.vineyard.internal.Native;
import io.vineyard.internal.Unclosed;
import io.vineyard.internal.Utf8;
import io.vineyard.internal.Values;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.function.LongConsumer;
import java.util.function.LongFunction;
import java.util.function.LongUnaryOperator;
import java.util.function.Supplier;

/**
 * A session with the daemon, as far as it is about itself: how calls are made, what it is, how it ends. The rest is in
 * {@link Catalog}, {@link Reading} and {@link Client}. Thread-safe.
 */
abstract class Connection implements AutoCloseable {
  private static final long LONGEST_MS = Long.MAX_VALUE / 2_000_000;  // no overflow in nanoseconds

  private final Handle handle;
  private static final int MOST_COLLECTIONS = 10;  // for one call: some seconds
  private final Cleaner.Cleanable cleanable;
  private final String socket;

  /** Of a client of the native library. */
  Connection(Handle handle) {
    this.socket = Utf8.text(Native.vineyard_client_socket(handle.pointer()));
    handle.rename("client of " + socket);
    this.handle = handle;
    this.cleanable = Handle.CLEANER.register(this, handle);
  }

  /** What {@link #Connection} takes, once it holds a client: calls that wait end at once, the rest goes behind the last of them. */
  static Handle newHandle() {
    return new Handle("client", Native::vy_client_close, Native::vy_client_release, false);
  }

  /**
   * What the daemon reports of itself, in an order for people.
   *
   * @return names and numbers (Long) or texts
   */
  public Map<String, Object> status() {
    return Values.decodeMap(call(Native::vy_client_info));
  }

  /**
   * What this client has done so far.
   *
   * @return counters
   */
  public Statistics statistics() {
    long[] counters = call(Native::vy_client_counters);
    return new Statistics(counters[0], counters[1], counters[2]);
  }

  /**
   * The path connected to.
   *
   * @return of the daemon's socket
   */
  public String socket() {
    return socket;
  }

  /**
   * Whether it is open and the last exchange with the daemon worked.
   *
   * @return true: it is
   */
  public boolean isConnected() {
    try {
      return answer(client -> (long) Native.vineyard_client_is_connected(client)) != 0;
    } catch (IllegalStateException closed) {
      return false;
    }
  }

  /**
   * Ends the session; calls of other threads that wait fail. What was got stays valid; what was not sealed is gone. Closing
   * twice is allowed.
   */
  @Override
  public void close() {
    handle.close(this, cleanable);
  }

  @Override
  public String toString() {
    return "Client[" + socket + (handle.isClosed() ? ", closed]" : "]");
  }

  final void addCopied(long bytes) {
    run(client -> Native.vineyard_client_add_copied(client, bytes));
  }

  final Handle handle() {
    return handle;
  }

  // ---- calls

  /**
   * A call with a native handle that is of no use once this is closed.
   *
   * @param owner of the handle
   */
  final <T> T use(Object owner, Handle of, LongFunction<T> function) {
    try {
      return of.use(owner, function);
    } catch (VineyardException error) {
      throw closedOr(error);
    }
  }

  // To the native library a closed client is one of many arguments that are not valid; and one that is closed in the middle of a
  // put has lost the leases that the put needs.
  private RuntimeException closedOr(VineyardException error) {
    if (!handle.isClosed()) {
      return error;
    }
    return switch (error.status()) {
      case INVALID -> new IllegalStateException(error.getMessage(), error);
      case PERMISSION -> new IllegalStateException(handle + ": it was closed meanwhile", error);
      default -> error;
    };
  }

  final <T> T call(LongFunction<T> function) {
    return use(this, handle, function);
  }

  final long answer(LongUnaryOperator function) {
    return call(function::applyAsLong);
  }

  final void run(LongConsumer function) {
    call(client -> {
      function.accept(client);
      return null;
    });
  }

  /** A call that makes a native handle, which `holder` holds; `owner` makes what owns that. */
  final <T> T own(Holder holder, LongUnaryOperator function, Supplier<T> owner) {
    try {
      return Holder.own(holder, handle, function, owner);
    } catch (VineyardException error) {
      throw closedOr(error);
    } finally {
      Reference.reachabilityFence(this);  // its cleaner would end the call
    }
  }

  /**
   * A call that takes memory of the store: what this process holds of it and nobody can reach any more is no reason to fail. It is
   * made again unless it says that it has stored something; more than once, since others may take what the collector has found.
   */
  static <T> T allocate(Supplier<T> function) {
    for (int collections = 0;; ++collections) {
      try {
        return function.get();
      } catch (VineyardException.StoreFull full) {
        if (full.stored() != null || collections == MOST_COLLECTIONS || !Unclosed.collect()) {
          throw full;
        }
      }
    }
  }

  /** The bytes of a text that may be left out, but not be empty: `instead` says what to do then. */
  static byte[] textOrNull(String what, String text, String instead) {
    if (text != null && text.isEmpty()) {
      throw VineyardException.of(Status.INVALID, what + ": it must not be empty; " + instead);
    }
    return Utf8.nameOrNull(what, text);
  }

  static long numberOf(ObjectId id) {
    return Objects.requireNonNull(id, "id").number();
  }

  /** A time-out as the C interface takes it: rounded up, at least one for what is more than nothing. */
  static long milliseconds(Duration duration) {
    if (Objects.requireNonNull(duration, "duration").isNegative()) {
      throw new IllegalArgumentException("a time-out of " + duration + ", which is negative");
    }
    try {
      return Math.min(duration.plusNanos(999_999).toMillis(), LONGEST_MS);
    } catch (ArithmeticException error) {
      return LONGEST_MS;
    }
  }
}
