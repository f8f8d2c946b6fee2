package io.vineyard;

import io.vineyard.internal.Handle;
import io.vineyard.internal.Native;
import io.vineyard.internal.Values;
import java.lang.ref.Cleaner;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;

/**
 * Follows the changes of the cluster, over a connection of its own that is made again when the daemon was restarted.
 * No event is left out in silence: {@link Event.Kind#COMPACTED} says where some are not known any more. What is not persisted,
 * and its names, are no changes of the cluster: there are no events of it. For one thread at a time; {@link #close()} may come
 * from another.
 *
 * <p>As an iterator it has no end of its own: {@code hasNext} waits for the next event until there is one, the watch or its
 * client is closed (false), the thread is interrupted ({@link VineyardException.Interrupted}), or the daemon is away or hears
 * of no changes ({@link VineyardException.Unavailable}; call again, the watch goes on once it can).
 */
public final class Watch implements Iterator<Event>, AutoCloseable {
  private static final long SLICE_MS = 100;

  private final Connection client;  // not to be collected, and closed, before
  private final Handle handle;
  private final Cleaner.Cleanable cleanable;
  private Event next;

  Watch(Handle watch, Connection client) {
    this.client = client;
    handle = watch;
    cleanable = Handle.CLEANER.register(this, watch);
  }

  /** What {@link #Watch} takes, once it holds a watch. */
  static Handle newHandle() {
    return new Handle("watch", watch -> {}, Native::vineyard_watch_release, false);  // holds a connection of its own
  }

  /**
   * The next event, waiting for it.
   *
   * @param longest how long to wait; zero: not
   * @return empty when there was none in time
   * @throws VineyardException.Unavailable there was none, and the daemon is away or hears of none; the watch goes on
   *     once it can
   * @throws IllegalStateException it is closed, or its client
   */
  public Optional<Event> poll(Duration longest) {
    Event event = next != null ? next : await(Client.milliseconds(longest));
    next = null;
    return Optional.ofNullable(event);
  }

  private Event await(long timeoutMs) {
    long end = System.nanoTime() + timeoutMs * 1_000_000;
    for (;;) {
      long left = Math.max(0, (end - System.nanoTime()) / 1_000_000);
      // In slices, so that a close by another thread is noticed.
      byte[] answer = client.use(this, handle, watch -> Native.vy_watch_next(watch, Math.min(left, SLICE_MS)));
      if (answer == null && left == 0) {
        return null;
      }
      Event event = answer == null ? null : eventOf(Values.decodeList(answer));
      if (event != null) {
        return event;
      }
    }
  }

  private static Event eventOf(List<Object> parts) {
    Event.Kind kind = Event.Kind.of((Long) parts.get(0));
    long id = (Long) parts.get(1);
    return kind == null ? null
        : new Event(kind, id == 0 ? null : new ObjectId(id), ((Number) parts.get(2)).longValue(), (String) parts.get(3));
  }

  @Override
  public boolean hasNext() {
    while (next == null) {
      try {
        next = await(SLICE_MS);
      } catch (IllegalStateException | VineyardException error) {
        if (handle.isClosed() || client.handle().isClosed()) {
          return false;
        }
        throw error;
      }
    }
    return true;
  }

  /**
   * The next event, waiting for it as {@link #hasNext()} does.
   *
   * @return an event
   * @throws NoSuchElementException the watch is closed
   * @throws IllegalStateException its client is closed
   */
  @Override
  public Event next() {
    if (!hasNext()) {
      if (!handle.isClosed()) {
        throw new IllegalStateException(client.handle() + ": it is closed");
      }
      throw new NoSuchElementException("watch: it is closed");
    }
    Event event = next;
    next = null;
    return event;
  }

  /**
   * Where a later watch takes up what this one has not answered yet. Events that happened together with one that was
   * not answered yet come again there.
   *
   * @return for {@link Client#watch(Position)}
   */
  public Position position() {
    long[] position = client.use(this, handle, Native::vy_watch_position);
    return new Position(position[0], position[1]);
  }

  /** Ends it. Closing twice is allowed. */
  @Override
  public void close() {
    handle.close(this, cleanable);
  }
}
