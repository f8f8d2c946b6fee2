package io.vineyard;

import io.vineyard.internal.Handle;
import io.vineyard.internal.Native;
import io.vineyard.internal.Pin;
import java.time.Duration;

/** What a client reads: blobs, objects, arrays and values, by their id or their name. Thread-safe. */
abstract class Reading extends Catalog {
  private final RemotePolicy remote;

  Reading(Handle client, RemotePolicy remote) {
    super(client);
    this.remote = remote;
  }

  /**
   * A blob, in place.
   *
   * @param id of a blob
   * @return to be closed
   * @throws VineyardException there is none, it is no blob, or its payload is not here
   */
  public Blob getBlob(ObjectId id) {
    Pin pin = new Pin();
    return own(pin, client -> Native.vineyard_blob_get(client, numberOf(id)), () -> new Blob(id, pin.locate()));
  }

  /**
   * The same of the object that has a name now.
   *
   * @param name of a blob
   * @return to be closed
   * @throws VineyardException nobody has it, it is no blob, or its payload is not here
   */
  public Blob getBlob(String name) {
    return getBlob(getName(name).id());
  }

  /**
   * An object: metadata and members, in place.
   *
   * @param id of any object, also of a blob
   * @return to be closed
   * @throws VineyardException.NotFound there is none
   */
  public VineyardObject get(ObjectId id) {
    Handle object = VineyardObject.newHandle();
    return own(object, client -> Native.vineyard_object_get(client, numberOf(id)), () -> new VineyardObject(id, object, this));
  }

  /**
   * The object that has a name now.
   *
   * @param name of an object
   * @return to be closed
   * @throws VineyardException.NotFound nobody has it
   */
  public VineyardObject get(String name) {
    return get(getName(name).id());
  }

  /**
   * An array, in place.
   *
   * @param id of an array
   * @return to be closed
   * @throws VineyardException there is none, it is no array, or its payload is not here
   */
  public Tensor getTensor(ObjectId id) {
    Tensor.Answer tensor = new Tensor.Answer();
    return own(tensor.pin, client -> (tensor.numbers = Native.vy_client_tensor(client, numberOf(id)))[0], () -> new Tensor(id, tensor));
  }

  /**
   * The same of the object that has a name now.
   *
   * @param name of an array
   * @return to be closed
   * @throws VineyardException nobody has it, it is no array, or its payload is not here
   */
  public Tensor getTensor(String name) {
    return getTensor(getName(name).id());
  }

  /**
   * Java's value of an object: null, Boolean, Long (BigInteger where that is too small), Double, Float, {@link Complex},
   * String, byte[] (a copy) of Python's bytes, ByteBuffer (in place; a {@link Blob} above 2 GiB) of raw buffers,
   * {@link Tensor} (in place), List, {@link Tuple}, Map. Containers can not be changed. What has its payload on another
   * instance is as {@link ClientOptions#remote()} says. A list that is an element twice is one Java object: who goes
   * through all elements of all lists may meet very many.
   *
   * <p>What is read in place is pinned until the collector finds that nobody can reach it: {@link #openValue} gives it back in time,
   * and is to be preferred where there may be arrays or buffers in the value.
   *
   * @param id of any object
   * @return its value, null too
   * @throws VineyardException.NotFound there is no such object
   * @throws VineyardException.TypeMismatch Java has no value of its type, or of that of an object below it: the text names it
   * @throws VineyardException.Corrupt it is not what {@code docs/types.md} says of its type: the text says what, and where
   * @throws VineyardException.LimitExceeded a map with a key of more than 1,000 values, or more than 256 levels
   */
  public Object getValue(ObjectId id) {
    return openValue(id).get();
  }

  /**
   * The same with an end: {@code try (var open = client.openValue(id)) { ... open.get() ... }}.
   *
   * @param id of any object
   * @return to be closed
   * @throws VineyardException there is no such object, or Java has no value of its type: the text names it
   */
  public OpenValue openValue(ObjectId id) {
    try (VineyardObject object = get(id)) {
      return new ValueReader(remote, this::addCopied).open(object);
    }
  }

  /**
   * The same of the object that has a name now.
   *
   * @param name of an object
   * @return to be closed
   * @throws VineyardException nobody has it, or Java has no value of its type: the text names it
   */
  public OpenValue openValue(String name) {
    return openValue(getName(name).id());
  }

  /**
   * The value of the object that has a name now.
   *
   * @param name of an object
   * @return as {@link #getValue(ObjectId)}
   * @throws VineyardException.NotFound nobody has it
   */
  public Object getValue(String name) {
    return getValue(getName(name).id());
  }

  /**
   * Whether an object exists.
   *
   * @param id of any object
   * @return true: it does
   */
  public boolean exists(ObjectId id) {
    return answer(client -> (long) Native.vineyard_object_exists(client, numberOf(id))) != 0;
  }

  /**
   * Waits until an object is sealed, or another instance has persisted it.
   *
   * @param id of any object, also of one that is being written
   * @param longest how long to wait
   * @throws VineyardException.TimedOut it was not in time
   */
  public void waitFor(ObjectId id, Duration longest) {
    run(client -> Native.vineyard_object_wait(client, numberOf(id), milliseconds(longest)));
  }

  /**
   * Compares an object, and all below it that lies in this instance's memory, with the checksums that were made when it
   * was put. Reads every byte that has one.
   *
   * @param id of any object
   * @return bytes of payload that have no checksum: {@code vineyardd --checksum} says which have
   * @throws VineyardException with {@link Status#CORRUPT}: something is damaged; the text names it
   */
  public long verify(ObjectId id) {
    return answer(client -> Native.vineyard_object_verify(client, numberOf(id)));
  }

  /**
   * Moves the payloads of an object and of all below it from memory to files now, but for those that another object in
   * memory links to; a get brings them back.
   *
   * @param id of any object
   * @throws VineyardException.InUse somebody has pinned it, or an object in memory links to it; the text says who
   * @throws VineyardException with {@link Status#UNSUPPORTED}: the daemon spills nothing
   */
  public void evict(ObjectId id) {
    run(client -> Native.vineyard_object_evict(client, numberOf(id)));
  }

  /**
   * Brings what lies in a file back into memory, with all below it, as a get would.
   *
   * @param id of any object
   * @throws VineyardException with {@link Status#OUT_OF_MEMORY}: there is no room, and nothing that could go
   */
  public void load(ObjectId id) {
    run(client -> Native.vineyard_object_load(client, numberOf(id)));
  }

  /**
   * Keeps an object and all below it in memory, loading it first: it is neither evicted nor spilled, and who deletes it
   * does not take its bytes away. Until {@link #unpin}, the end of the client or of its process. Counted: as many
   * unpins as pins.
   *
   * @param id of any object
   */
  public void pin(ObjectId id) {
    run(client -> Native.vineyard_object_pin(client, numberOf(id)));
  }

  /**
   * Takes one {@link #pin} back.
   *
   * @param id of an object that this client has pinned
   * @throws VineyardException.NotFound it has not, or not as often
   */
  public void unpin(ObjectId id) {
    run(client -> Native.vineyard_object_unpin(client, numberOf(id)));
  }
}
