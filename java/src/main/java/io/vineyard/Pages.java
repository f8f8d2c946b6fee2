package io.vineyard;

import io.vineyard.internal.Handle;
import java.lang.ref.Cleaner;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.function.LongFunction;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** A list of the daemon, page by page, as a lazy stream that gives its handle back at the end or when it is closed. */
final class Pages<T> implements Iterator<T> {
  private final Connection client;  // not to be collected, and closed, before
  private final Handle handle;
  private final Cleaner.Cleanable cleanable;
  private final LongFunction<List<T>> next;
  private Iterator<T> page = List.<T>of().iterator();
  private boolean done;

  private Pages(Connection client, Handle handle, LongFunction<List<T>> next) {
    this.client = client;
    this.handle = handle;
    this.next = next;
    this.cleanable = Handle.CLEANER.register(this, handle);
  }

  /** `next` answers the next page, an empty one at the end. */
  static <T> Stream<T> stream(Connection client, Handle handle, LongFunction<List<T>> next) {
    Pages<T> pages = new Pages<>(client, handle, next);
    int traits = Spliterator.ORDERED | Spliterator.NONNULL;
    return StreamSupport.stream(Spliterators.spliteratorUnknownSize(pages, traits), false)
        .onClose(pages.cleanable::clean);
  }

  @Override
  public boolean hasNext() {
    if (!page.hasNext() && !done) {
      page = client.use(this, handle, next).iterator();
      done = !page.hasNext();
      if (done) {
        cleanable.clean();
      }
    }
    return page.hasNext();
  }

  @Override
  public T next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    return page.next();
  }
}
