package io.vineyard;

import io.vineyard.internal.Arena;
import io.vineyard.internal.Callbacks;
import io.vineyard.internal.Handle;
import io.vineyard.internal.Holder;
import io.vineyard.internal.Native;
import io.vineyard.internal.Utf8;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.ToLongFunction;

/**
 * A connection to the daemon of this host. Thread-safe. What was got stays valid after the client is closed; a daemon
 * that restarts is reconnected to.
 *
 * <p>Every method that asks the daemon can throw {@link VineyardException} with {@link Status#UNAVAILABLE},
 * {@link Status#TIMEOUT}, {@link Status#INTERRUPTED} (the thread's interrupt status stays set) or, of a change that was
 * sent and not answered, {@link Status#UNKNOWN}; and {@link IllegalStateException} when the client is closed. Not repeated below.
 */
public final class Client extends Reading {
  static {
    Callbacks.setExceptions((status, text) -> VineyardException.of(Status.of(status), text));
  }

  private Client(Handle client, RemotePolicy remote) {
    super(client, remote);
  }

  static Client open(ClientOptions options) {
    long timeout = options.timeout() == null ? 0 : milliseconds(options.timeout());
    byte[] socket = textOrNull("socket", options.socket(), "without one it is the default socket");
    byte[] name = Utf8.nameOrNull("name", options.name());
    Handle client = newHandle();
    return Holder.own(client, null, none -> Native.vy_client_connect(socket, timeout, name, options.share().number(), options.share().gid(), options.daemonUid()), () -> new Client(client, options.remote()));
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
    int size = bytes.remaining();
    if (bytes.isDirect()) {
      try {
        return new ObjectId(allocate(() -> answer(client -> Native.vineyard_blob_put(client, TreePut.address(bytes), size, kind.number()))));
      } finally {
        Reference.reachabilityFence(bytes);
      }
    }
    if (size > Arena.LARGEST) {  // straight into shared memory
      try (BlobWriter writer = createBlob(size, kind)) {
        writer.fill(to -> to.put(bytes.duplicate()));
        addCopied(size);
        return writer.seal();
      }
    }
    byte[] array = bytes.hasArray() ? bytes.array() : new byte[size];
    int from = bytes.hasArray() ? bytes.arrayOffset() + bytes.position() : 0;
    if (!bytes.hasArray()) {
      bytes.duplicate().get(array);
    }
    return new ObjectId(allocate(() -> answer(client -> Native.vy_bytes_put(client, array, from, size, kind.number()))));
  }

  /**
   * The same with options.
   *
   * @param bytes are copied; its position does not move
   * @param kind how they are stored
   * @param options name and more
   * @return the id of a blob
   * @throws VineyardException.AlreadyExists the name is taken
   * @throws VineyardException.StoreFull nothing was stored
   */
  public ObjectId put(ByteBuffer bytes, BlobKind kind, PutOptions options) {
    ObjectMeta.Payload payload = ObjectMeta.Payload.of(bytes, Objects.requireNonNull(kind, "kind"));
    boolean isPlain = Objects.requireNonNull(options, "options").share().equals(Share.DEFAULT);
    if (options.name() != null || !isPlain) {
      return put(options, put -> put.build(payload));
    }
    ObjectId id = put(bytes, kind);
    if (options.persist()) {
      try {
        persist(id);
      } catch (VineyardException error) {
        throw error.withStored(id.number());
      }
    }
    return id;
  }

  /**
   * Stores a tree: this metadata and all below it, or nothing.
   *
   * @param tree is put once
   * @return the id of its root
   * @throws VineyardException.NotFound a member does not exist
   * @throws VineyardException.StoreFull nothing was stored
   * @throws VineyardException.LimitExceeded more than 64 levels, or 64 MiB of metadata
   * @throws IllegalArgumentException it, or metadata below it, was put already
   */
  public ObjectId put(ObjectMeta tree) {
    return put(tree, PutOptions.DEFAULT);
  }

  /**
   * The same with options.
   *
   * @param tree is put once
   * @param options name and more
   * @return the id of its root
   * @throws VineyardException.AlreadyExists the name is taken
   * @throws VineyardException when it was to be persisted and was stored only, {@link VineyardException#stored()} is its id
   */
  public ObjectId put(ObjectMeta tree, PutOptions options) {
    Objects.requireNonNull(tree, "tree");
    return put(options, put -> put.build(tree));
  }

  private ObjectId put(PutOptions options, ToLongFunction<TreePut> build) {
    byte[] name = textOrNull("name", Objects.requireNonNull(options, "options").name(), "leave it out for an object without a name");
    try (TreePut put = new TreePut(this, options.share())) {
      long meta = build.applyAsLong(put);
      return allocate(() -> put(put, meta, name, options));
    }
  }

  private ObjectId put(TreePut put, long meta, byte[] name, PutOptions options) {
    long[] id = new long[1];
    try {
      run(client -> Native.vy_object_put(client, meta, name, options.replace() ? 1 : 0, options.persist() ? 1 : 0,
          options.share().number(), options.share().gid(), id));
      return new ObjectId(id[0]);
    } catch (VineyardException error) {
      throw error.withStored(id[0]);
    } finally {
      if (id[0] != 0) {
        put.tellIds();
      }
    }
  }

  /**
   * Stores a value in the form that every language reads: null, Boolean, whole numbers (BigInteger too), Float, Double,
   * {@link Complex}, String, byte[] (as {@code bytes}), ByteBuffer (its bytes as they are, whatever its order says), arrays of
   * other primitives and buffers of them (DoubleBuffer and so on, as arrays of one dimension), List and arrays of objects
   * (int[][] is a list of arrays), {@link Tuple}, Map, and in those also {@link ObjectId}, {@link VineyardObject},
   * {@link Tensor}, {@link Blob}, which are linked and not copied, and {@link ObjectMeta}.
   *
   * @param value to store
   * @return its id
   * @throws VineyardException.TypeMismatch a value of another class: it has no such form. The text says where it is
   * @throws IllegalArgumentException it contains itself, or is in the store already and would be the root
   * @throws VineyardException.StoreFull nothing was stored
   */
  public ObjectId putValue(Object value) {
    return putValue(value, PutOptions.DEFAULT);
  }

  /**
   * The same, and names it in the same step.
   *
   * @param value to store
   * @param name for it, 1 to 1,024 bytes of UTF-8
   * @return its id
   * @throws VineyardException.AlreadyExists the name is taken; {@link PutOptions#withReplace()} moves it
   */
  public ObjectId putValue(Object value, String name) {
    return putValue(value, PutOptions.DEFAULT.withName(Objects.requireNonNull(name, "name")));
  }

  /**
   * The same with options.
   *
   * @param value to store
   * @param options name and more
   * @return its id
   * @throws VineyardException.AlreadyExists the name is taken
   * @throws VineyardException when it was to be persisted and was stored only, {@link VineyardException#stored()} is its id
   */
  public ObjectId putValue(Object value, PutOptions options) {
    Objects.requireNonNull(options, "options");
    if (value instanceof byte[] || value instanceof ByteBuffer) {
      ByteBuffer bytes = value instanceof byte[] array ? ByteBuffer.wrap(array) : (ByteBuffer) value;
      BlobKind kind = value instanceof byte[] ? BlobKind.BYTES : BlobKind.BUFFER;
      return put(bytes, kind, options);
    }
    return put(value instanceof ObjectMeta meta ? meta : ValueBuilder.build(value), options);
  }

  /**
   * Stores an array of numbers with a shape.
   *
   * @param numbers byte[], short[], int[], long[], float[], double[] or boolean[], or what remains of a ShortBuffer, IntBuffer,
   *     LongBuffer, FloatBuffer or DoubleBuffer, whichever the order of its bytes; copied
   * @param shape sizes, the last varies fastest; their product is the length
   * @return its id
   * @throws IllegalArgumentException no array of numbers, or of another length
   */
  public ObjectId putTensor(Object numbers, long... shape) {
    return putTensor(numbers, PutOptions.DEFAULT, shape);
  }

  /**
   * The same with options.
   *
   * @param numbers as above
   * @param options name and more
   * @param shape sizes
   * @return its id
   * @throws VineyardException.AlreadyExists the name is taken
   */
  public ObjectId putTensor(Object numbers, PutOptions options, long... shape) {
    Objects.requireNonNull(options, "options");
    return put(ArrayBuilder.build(Objects.requireNonNull(numbers, "numbers"), Objects.requireNonNull(shape, "shape")), options);
  }

  /**
   * Stores an array of any element type.
   *
   * @param element type of an element
   * @param bytes what remains: little-endian elements in the order of memory; copied
   * @param fortran whether the first index varies fastest
   * @param shape sizes
   * @return its id
   * @throws IllegalArgumentException the buffer says that it is big-endian, as every new one does, and elements are wider than
   *     a byte. Who knows that its bytes are little-endian says {@code bytes.order(ByteOrder.LITTLE_ENDIAN)}; numbers that were
   *     put in as big-endian are put by {@link #putTensor(Object, long...)} of {@code bytes.asDoubleBuffer()} and the like
   */
  public ObjectId putTensor(ElementType element, ByteBuffer bytes, boolean fortran, long... shape) {
    return putTensor(element, bytes, fortran, PutOptions.DEFAULT, shape);
  }

  /**
   * The same with options.
   *
   * @param element type of an element
   * @param bytes as above
   * @param fortran whether the first index varies fastest
   * @param options name and more
   * @param shape sizes
   * @return its id
   * @throws IllegalArgumentException as above
   * @throws VineyardException.AlreadyExists the name is taken
   */
  public ObjectId putTensor(ElementType element, ByteBuffer bytes, boolean fortran, PutOptions options, long... shape) {
    Objects.requireNonNull(options, "options");
    return put(ArrayBuilder.ofBytes(element, Objects.requireNonNull(bytes, "bytes"), shape, fortran), options);
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
    return putTensor(element, elements, fortran, PutOptions.DEFAULT, shape);
  }

  /**
   * The same with options.
   *
   * @param element type of an element
   * @param elements is sealed by this
   * @param fortran whether the first index varies fastest
   * @param options name and more
   * @param shape sizes
   * @return its id
   * @throws VineyardException.AlreadyExists the name is taken; nothing is sealed
   */
  public ObjectId putTensor(ElementType element, BlobWriter elements, boolean fortran, PutOptions options, long... shape) {
    Objects.requireNonNull(options, "options");
    long size = Objects.requireNonNull(elements, "elements").size();
    return put(ArrayBuilder.header(element, size, shape, fortran).add("buffer_", elements), options);
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
    return createBlob(size, kind, Share.DEFAULT);
  }

  /**
   * The same for others to read.
   *
   * @param size bytes of value
   * @param kind how it is stored
   * @param share as of the object that it will be a member of
   * @return to be sealed and closed; once it is put nothing of it is in the writer's memory any more
   * @throws VineyardException.StoreFull there is no room
   * @throws VineyardException.PermissionDenied a group that this user is not in
   */
  public BlobWriter createBlob(long size, BlobKind kind, Share share) {
    Objects.requireNonNull(kind, "kind");
    Objects.requireNonNull(share, "share");
    if (size < 0) {
      throw new IllegalArgumentException("blob: " + size + " bytes; a size is not negative");
    }
    return allocate(() -> {
      Handle writer = BlobWriter.newHandle();
      return own(writer, client -> Native.vy_blob_writer_create(client, size, kind.number(), share.number(), share.gid()), () -> new BlobWriter(writer, this));
    });
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
    delete(Arrays.asList(Objects.requireNonNull(ids, "ids")), DeleteOptions.DEFAULT);
  }

  /**
   * The same with options.
   *
   * @param ids of objects
   * @param options what goes with them
   * @throws VineyardException there is no such object, or others link to it
   */
  public void delete(Collection<ObjectId> ids, DeleteOptions options) {
    Objects.requireNonNull(options, "options");
    long[] numbers = numbers(ids);
    run(client -> Native.vy_object_delete(client, numbers, options.force() ? 1 : 0, options.shallow() ? 1 : 0));
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
   * Deletes every object that this user owns on this instance, also what it shares with others;
   * nothing of another user's.
   *
   * @return how many there were
   */
  public long clear() {
    return answer(Native::vineyard_client_clear);
  }

  /**
   * Gives memory that is wholly free back to the host: of what this user owns, or, for the
   * daemon's user, of all.
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
