package io.vineyard;

import io.vineyard.internal.Callbacks;
import io.vineyard.internal.Handle;
import io.vineyard.internal.Native;
import io.vineyard.internal.Pin;
import io.vineyard.internal.Utf8;
import io.vineyard.internal.Values;
import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.LongConsumer;
import java.util.function.LongFunction;
import java.util.stream.Stream;

/**
 * A connection to the daemon of this host. Thread-safe. What was got stays valid after the client is closed; a daemon
 * that restarts is reconnected to.
 *
 * <p>Every method that asks the daemon can throw {@link VineyardException} with {@link Status#UNAVAILABLE},
 * {@link Status#TIMEOUT}, {@link Status#INTERRUPTED} (the thread's interrupt status stays set) or, of a change that was
 * sent and not answered, {@link Status#UNKNOWN}; and {@link IllegalStateException} when the client is closed. Not repeated below.
 */
public final class Client implements AutoCloseable {
  static {
    Callbacks.setExceptions((status, text) -> VineyardException.of(Status.of(status), text));
  }

  private static final long DEFAULT_WAIT = -1;

  private final Handle handle;
  private final Cleaner.Cleanable cleanable;
  private final String socket;
  private final RemotePolicy remote;

  private Client(long client, RemotePolicy remote) {
    this.socket = Utf8.text(Native.vineyard_client_socket(client));
    this.remote = remote;
    // Calls that wait end at once; the connection is freed behind the last of them.
    this.handle = new Handle("client of " + socket, client, Native::vy_client_close, Native::vy_client_release, null);
    this.cleanable = Handle.CLEANER.register(this, handle);
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
    return put(ByteBuffer.wrap(bytes), BlobKind.BYTES);
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
      java.lang.ref.Reference.reachabilityFence(direct);
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
    return put(ValueBuilder.array(numbers, shape));
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
    return put(ValueBuilder.tensor(element, bytes, shape, fortran));
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
    return put(ValueBuilder.header(element, elements.size(), shape, fortran).add("buffer_", elements));
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
    if (size < 0) {
      throw new IllegalArgumentException("blob: " + size + " bytes; a size is not negative");
    }
    return call(client -> new BlobWriter(Native.vineyard_blob_writer_create(client, size, kind.number()), handle));
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
    return new Blob(new Pin(answer(client -> Native.vineyard_blob_get(client, id.number()))));
  }

  /**
   * An object: metadata and members, in place.
   *
   * @param id of any object, also of a blob
   * @return to be closed
   * @throws VineyardException.NotFound there is none
   */
  public VineyardObject get(ObjectId id) {
    return new VineyardObject(id, answer(client -> Native.vineyard_object_get(client, id.number())), null);
  }

  /**
   * An array, in place.
   *
   * @param id of an array
   * @return to be closed
   * @throws VineyardException there is none, it is no array, or its payload is not here
   */
  public Tensor getTensor(ObjectId id) {
    return new Tensor(id, call(client -> Native.vy_client_tensor(client, id.number())));
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
      return new ValueReader(remote).read(object);
    }
  }

  /**
   * Whether an object exists.
   *
   * @param id of any object
   * @return true: it does
   */
  public boolean exists(ObjectId id) {
    return answer(client -> (long) Native.vineyard_object_exists(client, id.number())) != 0;
  }

  /**
   * Waits until an object is sealed, or another instance has persisted it.
   *
   * @param id of any object, also of one that is being written
   * @param longest how long to wait
   * @throws VineyardException.TimedOut it was not in time
   */
  public void waitFor(ObjectId id, Duration longest) {
    run(client -> Native.vineyard_object_wait(client, id.number(), milliseconds(longest)));
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
    delete(Arrays.asList(ids), false, false);
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
    long[] numbers = numbers(Arrays.asList(ids));
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

  /**
   * Sets a label of an object. Labels may change, objects do not.
   *
   * @param id of any object
   * @param key of the label
   * @param value null or empty: takes it away
   */
  public void setLabel(ObjectId id, String key, String value) {
    byte[] keyBytes = Utf8.name("label", key);
    byte[] valueBytes = Utf8.nameOrNull("value of label '" + key + "'", value);
    run(client -> Native.vineyard_label_set(client, id.number(), keyBytes, valueBytes));
  }

  /**
   * The labels of an object.
   *
   * @param id of any object
   * @return keys and values, a copy
   */
  public Map<String, String> labels(ObjectId id) {
    Map<String, String> labels = new LinkedHashMap<>();
    Values.decodeMap(call(client -> Native.vy_labels(client, id.number()))).forEach((key, value) -> labels.put(key, (String) value));
    return labels;
  }

  // ---- lists

  /**
   * Objects by type, ordered by type name and id, fetched as the stream goes. What is put or deleted meanwhile may or may
   * not be seen. Close the stream if it is not read to its end.
   *
   * @param pattern of type names, or of one of their bases: {@code *}, {@code ?}, {@code [a-z]}
   * @return ids; sequential
   */
  public Stream<ObjectId> list(String pattern) {
    return list(ListOptions.types(pattern));
  }

  /**
   * The same with options.
   *
   * @param options which objects
   * @return ids; sequential
   */
  public Stream<ObjectId> list(ListOptions options) {
    byte[] pattern = Utf8.name("pattern", options.pattern());
    byte[] label = Utf8.nameOrNull("label", options.label());
    byte[] value = Utf8.nameOrNull("value of the label", options.value());
    return call(client -> {
      long list = Native.vy_list_open(client, pattern, options.instance(), label, value);
      Handle opened = new Handle("list", list, null, Native::vineyard_list_release, handle);
      return Pages.stream(opened, pages -> {
        List<ObjectId> page = new ArrayList<>();
        for (long number : Native.vy_list_next(pages)) {
          page.add(new ObjectId(number));
        }
        return page;
      });
    });
  }

  /**
   * The type names that have objects here.
   *
   * @return names and numbers of objects
   */
  public Map<String, Long> types() {
    Map<String, Long> types = new LinkedHashMap<>();
    Values.decodeMap(call(Native::vy_types)).forEach((name, count) -> types.put(name, ((Number) count).longValue()));
    return types;
  }

  // ---- names

  /**
   * Names an object.
   *
   * @param name 1 to 1,024 bytes of UTF-8
   * @param id of an object that exists
   * @return the revision of the name
   * @throws VineyardException.AlreadyExists it is taken; the text says by which object
   * @throws VineyardException.NotFound there is no such object
   */
  public long putName(String name, ObjectId id) {
    return putName(name, id, false, false, 0);
  }

  /**
   * Names an object, also where the name is taken.
   *
   * @param name 1 to 1,024 bytes of UTF-8
   * @param id of an object that exists
   * @return the revision of the name
   * @throws VineyardException.NotFound there is no such object
   */
  public long replaceName(String name, ObjectId id) {
    return putName(name, id, true, false, 0);
  }

  /**
   * Names an object if the name has not changed.
   *
   * @param name 1 to 1,024 bytes of UTF-8
   * @param expected revision that the name must have; 0: it must not exist
   * @param id of an object that exists
   * @return the new revision of the name
   * @throws VineyardException.Conflict it has another revision
   * @throws VineyardException.NotFound there is no such object
   */
  public long compareAndSetName(String name, long expected, ObjectId id) {
    return putName(name, id, true, true, expected);
  }

  private long putName(String name, ObjectId id, boolean replace, boolean compare, long expected) {
    byte[] bytes = Utf8.name("name", name);
    return answer(client -> Native.vy_name_put(client, bytes, id.number(), replace ? 1 : 0, compare ? 1 : 0, expected));
  }

  /**
   * The object that has a name.
   *
   * @param name of an object
   * @return name, object and revision
   * @throws VineyardException.NotFound nobody has it
   */
  public NamedObject getName(String name) {
    return getName(name, Duration.ZERO, false);
  }

  /**
   * The same, waiting for the name to be given.
   *
   * @param name of an object
   * @param longest how long to wait
   * @return name, object and revision
   * @throws VineyardException.TimedOut it was not given in time
   */
  public NamedObject waitForName(String name, Duration longest) {
    return getName(name, longest, false);
  }

  /**
   * The same as of now in the whole cluster, not as of what the daemon has heard.
   *
   * @param name of an object
   * @return name, object and revision
   * @throws VineyardException.NotFound nobody has it
   */
  public NamedObject getLatestName(String name) {
    return getName(name, Duration.ZERO, true);
  }

  private NamedObject getName(String name, Duration longest, boolean latest) {
    byte[] bytes = Utf8.name("name", name);
    long timeout = milliseconds(longest);
    long[] found = call(client -> Native.vy_name_get(client, bytes, latest ? 1 : 0, timeout));
    return new NamedObject(name, new ObjectId(found[0]), found[1]);
  }

  /**
   * Takes a name away; the object stays.
   *
   * @param name of an object
   * @throws VineyardException.NotFound nobody has it
   */
  public void dropName(String name) {
    byte[] bytes = Utf8.name("name", name);
    run(client -> Native.vy_name_drop(client, bytes, 0, 0));
  }

  /**
   * The same if the name has not changed.
   *
   * @param name of an object
   * @param expected revision that the name must have
   * @throws VineyardException.Conflict it has another revision
   */
  public void compareAndDropName(String name, long expected) {
    byte[] bytes = Utf8.name("name", name);
    run(client -> Native.vy_name_drop(client, bytes, 1, expected));
  }

  /**
   * Names in the order of their bytes, fetched as the stream goes. Close it if it is not read to its end.
   *
   * @param pattern of names: {@code *}, {@code ?}, {@code [a-z]}
   * @return names, objects and revisions; sequential
   */
  public Stream<NamedObject> names(String pattern) {
    byte[] bytes = Utf8.name("pattern", pattern);
    return call(client -> {
      long list = Native.vineyard_name_list_open(client, bytes);
      Handle opened = new Handle("list of names", list, null, Native::vineyard_name_list_release, handle);
      return Pages.stream(opened, pages -> {
        List<Object> parts = Values.decodeList(Native.vy_name_list_next(pages));
        List<NamedObject> page = new ArrayList<>();
        for (int i = 0; i < parts.size(); i += 3) {
          page.add(new NamedObject((String) parts.get(i), new ObjectId((Long) parts.get(i + 1)), (Long) parts.get(i + 2)));
        }
        return page;
      });
    });
  }

  // ---- the cluster

  /**
   * The instances of the cluster, by number, lost ones among them.
   *
   * @return a copy
   */
  public List<Instance> instances() {
    List<Instance> instances = new ArrayList<>();
    for (Object each : Values.decodeList(call(Native::vy_instances))) {
      List<?> parts = (List<?>) each;
      instances.add(new Instance(number(parts, 0), number(parts, 1) != 0, Instant.ofEpochMilli(number(parts, 2)), number(parts, 3),
          number(parts, 4), number(parts, 5), (String) parts.get(6), (String) parts.get(7), (String) parts.get(8)));
    }
    return instances;
  }

  private static long number(List<?> parts, int index) {
    return ((Number) parts.get(index)).longValue();
  }

  /**
   * Takes a lost instance out of the cluster, with what it had persisted and the names of that.
   *
   * @param number of the instance
   * @throws VineyardException there is none, or it is alive
   */
  public void forgetInstance(long number) {
    run(client -> Native.vineyard_instance_forget(client, number));
  }

  /**
   * The number of this client's instance.
   *
   * @return as in {@link Instance#number()}
   */
  public long instance() {
    return answer(Native::vineyard_client_instance);
  }

  /**
   * What the daemon knows now; what this client has changed is in it.
   *
   * @return for {@link #waitFor(Position, Duration)} of another client
   */
  public Position position() {
    return positionOf(call(Native::vy_client_revision));
  }

  /**
   * Waits until the daemon knows what lies before a position.
   *
   * @param position of another client
   * @param longest how long to wait
   * @throws VineyardException.TimedOut it does not yet
   */
  public void waitFor(Position position, Duration longest) {
    long timeout = milliseconds(longest);
    run(client -> Native.vy_client_wait_revision(client, position.generation(), position.entries(), timeout));
  }

  /**
   * Waits until the daemon knows everything that was changed anywhere before this call.
   *
   * @return how far that is
   */
  public Position sync() {
    return positionOf(call(client -> Native.vy_client_sync(client, DEFAULT_WAIT)));
  }

  private static Position positionOf(long[] numbers) {
    return new Position(numbers[0], numbers[1]);
  }

  /**
   * Follows the changes of the cluster from now on.
   *
   * @return to be closed
   */
  public Watch watch() {
    return watch(Position.NONE);
  }

  /**
   * Follows the changes of the cluster behind a position.
   *
   * @param after of an earlier watch; {@link Position#NONE}: from now on
   * @return to be closed
   */
  public Watch watch(Position after) {
    return call(client -> new Watch(Native.vy_watch_open(client, after.generation(), after.entries()), handle));
  }

  // ---- itself

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
    return !handle.isClosed() && answer(client -> (long) Native.vineyard_client_is_connected(client)) != 0;
  }

  /**
   * Ends the session; calls of other threads that wait fail. What was got stays valid. Closing twice is allowed.
   */
  @Override
  public void close() {
    handle.close(cleanable);
  }

  @Override
  public String toString() {
    return "Client[" + socket + (handle.isClosed() ? ", closed]" : "]");
  }

  void addCopied(long bytes) {
    run(client -> Native.vineyard_client_add_copied(client, bytes));
  }

  // ---- calls

  private <T> T call(LongFunction<T> function) {
    long client = handle.enter();
    try {
      return function.apply(client);
    } finally {
      handle.leave();
    }
  }

  private long answer(java.util.function.LongUnaryOperator function) {
    long client = handle.enter();
    try {
      return function.applyAsLong(client);
    } finally {
      handle.leave();
    }
  }

  private void run(LongConsumer function) {
    long client = handle.enter();
    try {
      function.accept(client);
    } finally {
      handle.leave();
    }
  }

  private static long[] numbers(Collection<ObjectId> ids) {
    return ids.stream().mapToLong(ObjectId::number).toArray();
  }

  /** A time-out as the C interface takes it: rounded up, at least one for what is more than nothing. */
  static long milliseconds(Duration duration) {
    if (duration.isNegative()) {
      throw new IllegalArgumentException("time-out " + duration + ": it is not negative");
    }
    try {
      return duration.plusNanos(999_999).toMillis();
    } catch (ArithmeticException error) {
      return Long.MAX_VALUE / 2_000_000;  // longer than anybody waits, and no overflow in nanoseconds
    }
  }
}
