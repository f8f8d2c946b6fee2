package io.vineyard;

import io.vineyard.internal.Callbacks;
import io.vineyard.internal.Native;
import io.vineyard.internal.Pin;
import io.vineyard.internal.Utf8;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * A connection to the daemon of this host. Thread-safe. What was got stays valid after the client is closed; a daemon
 * that restarts is reconnected to.
 *
 * <p>Every method that asks the daemon can throw {@link VineyardException} with {@link Status#UNAVAILABLE},
 * {@link Status#TIMEOUT}, {@link Status#INTERRUPTED} (the thread's interrupt status stays set) or, of a change that was
 * sent and not answered, {@link Status#UNKNOWN}; and {@link IllegalStateException} when the client is closed. Not repeated below.
 */
public final class Client extends Catalog {
  static {
    Callbacks.setExceptions((status, text) -> VineyardException.of(Status.of(status), text));
  }

  private final RemotePolicy remote;

  private Client(long client, RemotePolicy remote) {
    super(client);
    this.remote = remote;
  }

  static Client open(ClientOptions options) {
    long timeout = options.timeout == null ? 0 : milliseconds(options.timeout);
    return new Client(Native.vy_client_connect(Utf8.nameOrNull("socket", options.socket), timeout,
        Utf8.nameOrNull("name", options.name)), options.remote);
  }

  // ---- putting

  /**
   * Stores bytes, as Python's {@code bytes}.
   *
   * @param bytes are copied
   * @return the id of a blob
   * @throws VineyardException.StoreFull nothing was stored
   */
  public ObjectId put(byte[] bytes) {
    return put(ByteBuffer.wrap(Objects.requireNonNull(bytes, "bytes")), BlobKind.BYTES);
  }

  /**
   * Stores bytes of any kind.
   *
   * @param bytes are copied
   * @param kind how they are stored
   * @return the id of a blob
   * @throws VineyardException.StoreFull nothing was stored
   */
  public ObjectId put(byte[] bytes, BlobKind kind) {
    return put(ByteBuffer.wrap(Objects.requireNonNull(bytes, "bytes")), kind);
  }

  /**
   * Stores what remains of a buffer.
   *
   * @param bytes are copied; its position does not move
   * @param kind how they are stored
   * @return the id of a blob
   * @throws VineyardException.StoreFull nothing was stored
   */
  public ObjectId put(ByteBuffer bytes, BlobKind kind) {
    Objects.requireNonNull(bytes, "bytes");
    Objects.requireNonNull(kind, "kind");
    if (!bytes.isDirect() && bytes.remaining() > 64 * 1024) {  // straight into shared memory
      try (BlobWriter writer = createBlob(bytes.remaining(), kind)) {
        writer.buffer().put(bytes.duplicate());
        addCopied(bytes.remaining());
        return writer.seal();
      }
    }
    ByteBuffer direct = bytes.isDirect() ? bytes : ByteBuffer.allocateDirect(bytes.remaining()).put(bytes.duplicate()).flip();
    try {
      return new ObjectId(answer(client ->
          Native.vy_blob_put(client, TreePut.address(direct), direct.remaining(), kind.number())));
    } finally {
      Reference.reachabilityFence(direct);
    }
  }

  /**
   * Stores a tree: this metadata and all below it, or nothing.
   *
   * @param tree is put once
   * @return the id of its root
   * @throws VineyardException.NotFound a member does not exist
   * @throws VineyardException.StoreFull nothing was stored
   * @throws VineyardException.LimitExceeded more than 64 levels, or 64 MiB of metadata
   */
  public ObjectId put(ObjectMeta tree) {
    return put(tree, null, false);
  }

  /**
   * The same, and names it in the same step.
   *
   * @param tree is put once
   * @param name for it; null: none
   * @param replace whether the name may be taken: it moves then
   * @return the id of its root
   * @throws VineyardException.AlreadyExists the name is taken
   */
  public ObjectId put(ObjectMeta tree, String name, boolean replace) {
    Objects.requireNonNull(tree, "tree");
    byte[] bytes = Utf8.nameOrNull("name", name);
    try (TreePut put = new TreePut(this)) {
      long meta = put.build(tree);
      return new ObjectId(answer(client -> Native.vy_object_put(client, meta, bytes, replace ? 1 : 0)));
    }
  }

  /**
   * Stores a value in the form that every language reads: null, Boolean, whole numbers (BigInteger too), Float, Double,
   * {@link Complex}, String, byte[] (as {@code bytes}), ByteBuffer (as it is), arrays of other primitives, List,
   * {@link Tuple}, Map, and in those also {@link ObjectId}, {@link VineyardObject}, {@link Tensor}, {@link Blob}, which
   * are linked and not copied.
   *
   * @param value to store
   * @return its id
   * @throws VineyardException.TypeMismatch a value of another class: it has no such form
   * @throws VineyardException.StoreFull nothing was stored
   */
  public ObjectId putValue(Object value) {
    if (value instanceof byte[]) {
      return put((byte[]) value);
    }
    if (value instanceof ByteBuffer) {
      return put((ByteBuffer) value, BlobKind.BUFFER);
    }
    if (value instanceof ObjectMeta) {
      return put((ObjectMeta) value);
    }
    return put(new ValueBuilder().build(value));
  }

  /**
   * Stores an array of numbers with a shape.
   *
   * @param numbers byte[], short[], int[], long[], float[], double[] or boolean[]; copied
   * @param shape sizes, the last varies fastest; their product is the length
   * @return its id
   */
  public ObjectId putTensor(Object numbers, long... shape) {
    return put(ValueBuilder.array(Objects.requireNonNull(numbers, "numbers"), Objects.requireNonNull(shape, "shape")));
  }

  /**
   * Stores an array of any element type.
   *
   * @param element type of an element
   * @param bytes what remains: little-endian elements in the order of memory; copied
   * @param fortran whether the first index varies fastest
   * @param shape sizes
   * @return its id
   */
  public ObjectId putTensor(ElementType element, ByteBuffer bytes, boolean fortran, long... shape) {
    return put(ValueBuilder.tensor(element, Objects.requireNonNull(bytes, "bytes"), shape, fortran));
  }

  /**
   * Stores an array whose elements were written into shared memory.
   *
   * @param element type of an element
   * @param elements is sealed by this
   * @param fortran whether the first index varies fastest
   * @param shape sizes
   * @return its id
   */
  public ObjectId putTensor(ElementType element, BlobWriter elements, boolean fortran, long... shape) {
    return put(ValueBuilder.header(element, Objects.requireNonNull(elements, "elements").size(), shape, fortran).add("buffer_", elements));
  }

  /**
   * Memory for a blob, to be written in place.
   *
   * @param size bytes
   * @return to be sealed and closed
   * @throws VineyardException.StoreFull there is no room
   */
  public BlobWriter createBlob(long size) {
    return createBlob(size, BlobKind.BUFFER);
  }

  /**
   * The same of another kind.
   *
   * @param size bytes of value
   * @param kind how it is stored
   * @return to be sealed and closed
   * @throws VineyardException.StoreFull there is no room
   */
  public BlobWriter createBlob(long size, BlobKind kind) {
    Objects.requireNonNull(kind, "kind");
    if (size < 0) {
      throw new IllegalArgumentException("blob: " + size + " bytes; a size is not negative");
    }
    return call(client -> new BlobWriter(Native.vineyard_blob_writer_create(client, size, kind.number()), this));
  }

  // ---- getting

  /**
   * A blob, in place.
   *
   * @param id of a blob
   * @return to be closed
   * @throws VineyardException there is none, it is no blob, or its payload is not here
   */
  public Blob getBlob(ObjectId id) {
    return new Blob(id, new Pin(answer(client -> Native.vineyard_blob_get(client, numberOf(id)))));
  }

  /**
   * An object: metadata and members, in place.
   *
   * @param id of any object, also of a blob
   * @return to be closed
   * @throws VineyardException.NotFound there is none
   */
  public VineyardObject get(ObjectId id) {
    return new VineyardObject(id, answer(client -> Native.vineyard_object_get(client, numberOf(id))), this);
  }

  /**
   * An array, in place.
   *
   * @param id of an array
   * @return to be closed
   * @throws VineyardException there is none, it is no array, or its payload is not here
   */
  public Tensor getTensor(ObjectId id) {
    return new Tensor(id, call(client -> Native.vy_client_tensor(client, numberOf(id))));
  }

  /**
   * Java's value of an object: null, Boolean, Long (BigInteger where that is too small), Double, Float, {@link Complex},
   * String, byte[] (a copy) of Python's bytes, ByteBuffer (in place; a {@link Blob} above 2 GiB) of raw buffers,
   * {@link Tensor} (in place), List, {@link Tuple}, Map. Containers can not be changed. What has its payload on another
   * instance is as {@link ClientOptions.Builder#remote} says.
   *
   * @param id of any object
   * @return its value, null too
   * @throws VineyardException there is no such object, or Java has no value of its type: the text names it
   */
  public Object getValue(ObjectId id) {
    try (VineyardObject object = get(id)) {
      return new ValueReader(remote, this::addCopied).read(object);
    }
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

  // ---- changing

  /**
   * Deletes objects with what is below them that nobody else holds: all or, on an error, none. Waits for no reader and
   * takes no reader's bytes away.
   *
   * @param ids of objects
   * @throws VineyardException there is no such object, or others link to it
   */
  public void delete(ObjectId... ids) {
    delete(Arrays.asList(Objects.requireNonNull(ids, "ids")), false, false);
  }

  /**
   * The same with options.
   *
   * @param ids of objects
   * @param force also what others link to: it goes when they are gone
   * @param shallow members stay
   * @throws VineyardException there is no such object, or others link to it
   */
  public void delete(Collection<ObjectId> ids, boolean force, boolean shallow) {
    long[] numbers = numbers(ids);
    run(client -> Native.vy_object_delete(client, numbers, force ? 1 : 0, shallow ? 1 : 0));
  }

  /**
   * Publishes objects and all that is local below them to the cluster. May be repeated.
   *
   * @param ids of objects
   * @throws VineyardException.NotFound there is no such object
   */
  public void persist(ObjectId... ids) {
    long[] numbers = numbers(Arrays.asList(Objects.requireNonNull(ids, "ids")));
    run(client -> Native.vy_object_persist(client, numbers));
  }

  /**
   * Deletes every object of this instance.
   *
   * @return how many there were
   */
  public long clear() {
    return answer(Native::vineyard_client_clear);
  }

  /**
   * Gives memory that is wholly free back to the host.
   *
   * @return bytes
   */
  public long trim() {
    return answer(Native::vineyard_client_trim);
  }

  private static long[] numbers(Collection<ObjectId> ids) {
    return Objects.requireNonNull(ids, "ids").stream().mapToLong(Connection::numberOf).toArray();
  }
}
