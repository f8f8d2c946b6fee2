/**
 * Objects in the shared memory of this host, read in place.
 *
 * <p>{@link io.vineyard.Vineyard#connect()} gives a {@link io.vineyard.Client}; a client puts, gets, lists, names and
 * deletes immutable objects that every other process of the host, in whatever language, reads without a copy.
 *
 * <p><b>Life time.</b> Whatever holds something of the store is {@link java.lang.AutoCloseable}: closing twice is
 * allowed, use after that is {@link java.lang.IllegalStateException}. What nobody closes is given back once the
 * collector finds it. A buffer or typed array keeps its bytes in place for as long as it can be reached, unless the
 * {@link io.vineyard.Blob} it came from is closed: closing says that nobody reads on. Who does all the same reads
 * anything, and never crashes.
 *
 * <p><b>Errors.</b> What the store answers is a {@link io.vineyard.VineyardException}, unchecked, with a status.
 * What Java alone can tell (a null, a negative size, an index) is Java's own exception, as everywhere.
 *
 * <p><b>Units.</b> Sizes and offsets are bytes and {@code long}, unless a name says elements; times are
 * {@link java.time.Duration}. Nothing waits without an end but a {@link io.vineyard.Watch} as an iterator, which says so.
 */
package io.vineyard;
