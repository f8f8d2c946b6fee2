package io.vineyard;

import io.vineyard.internal.Handle;
import io.vineyard.internal.Holder;
import io.vineyard.internal.Native;
import io.vineyard.internal.Pin;
import io.vineyard.internal.Utf8;
import io.vineyard.internal.Values;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.math.BigInteger;
import java.time.Instant;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.LongUnaryOperator;
import java.util.function.Supplier;

/**
 * A sealed object: its type, typed fields and members, read in shared memory. It and all below it stay while it is
 * open, whoever deletes them. Of what another instance has persisted: its metadata, as it was when it was got.
 * Thread-safe.
 */
public final class VineyardObject implements AutoCloseable {
  // The words of docs/types.md.
  private static final Map<Class<?>, String> KINDS = Map.of(Long.class, "an integer of 64 bits with a sign",
      BigInteger.class, "an integer", Double.class, "a float64", Boolean.class, "a bool", String.class, "a string",
      byte[].class, "bytes", List.class, "a list", Map.class, "a map");

  private final ObjectId id;
  private final Connection client;  // is asked for memory that it has not seen yet: not to be collected before
  private final Handle handle;
  private final Cleaner.Cleanable cleanable;
  private volatile Record record;  // read at the first question; the same whoever reads it

  VineyardObject(ObjectId id, Handle object, Connection client) {
    object.rename("object " + id);
    this.id = id;
    this.client = client;
    this.handle = object;
    this.cleanable = Handle.CLEANER.register(this, object);
  }

  /** What {@link #VineyardObject} takes, once it holds an object. */
  static Handle newHandle() {
    return new Handle("object", null, Native::vineyard_object_release, true);
  }

  // ---- what it is

  /**
   * Its id.
   *
   * @return never null
   */
  public ObjectId id() {
    return id;
  }

  /**
   * The name of its type.
   *
   * @return "vineyard::Array"
   */
  public String typeName() {
    return record().typeName;
  }

  /**
   * Payload bytes of the whole tree.
   *
   * @return stored sizes; what is a member twice counts twice. {@link Long#MAX_VALUE}: that, or more than a long can say
   */
  public long nbytes() {
    return record().nbytes;
  }

  /**
   * Number of the instance that owns it.
   *
   * @return as in {@link Instance#number()}
   */
  public long instance() {
    return record().instance;
  }

  /**
   * The user who put it, and who alone can delete, name and label it.
   *
   * @return its number, unsigned
   */
  public int ownerUid() {
    return record().ownerUid;
  }

  /**
   * Whether it was persisted when it was got.
   *
   * @return true: the whole cluster knows it
   */
  public boolean isPersisted() {
    return record().persisted;
  }

  /**
   * Whether another instance has it.
   *
   * @return true: its payload is not here
   */
  public boolean isRemote() {
    return record().remote;
  }

  /**
   * Whether the instance that owns it was gone when it was got.
   *
   * @return true: its payload is gone
   */
  public boolean isLost() {
    return record().lost;
  }

  /**
   * Since when its owner is what {@link #isLost()} says.
   *
   * @return null: not known
   */
  public Instant ownerSince() {
    return instant(record().ownerSinceMs);
  }

  /**
   * The host of its owner.
   *
   * @return empty: this one, or not known
   */
  public String ownerHost() {
    return record().ownerHost;
  }

  /**
   * From when on what is known of it may be old, because the daemon does not hear of changes.
   *
   * @return null: it is not
   */
  public Instant staleSince() {
    return instant(record().staleSinceMs);
  }

  /**
   * Whether it or what is below it reaches objects of another instance than its owner.
   *
   * @return true: it does
   */
  public boolean isGlobal() {
    return call(object -> Native.vineyard_object_is_global(object)) != 0;
  }

  // ---- fields

  /**
   * All fields in the order of the object: Boolean, Long (BigInteger from 2^63 on), Double, String, byte[], List, Map or
   * null.
   *
   * @return can not be changed
   */
  public Map<String, Object> fields() {
    return record().fields;
  }

  /**
   * The value of a field.
   *
   * @param name of the field
   * @return as in {@link #fields()}
   * @throws VineyardException.NotFound there is none
   */
  public Object field(String name) {
    Objects.requireNonNull(name, "name");
    Object value = record().fields.get(name);
    if (value == null && !record().fields.containsKey(name)) {
      throw VineyardException.of(Status.NOT_FOUND, "object " + id + ": no field '" + name + "'");
    }
    return value;
  }

  private <T> T field(String name, Class<T> type) {
    Object value = field(name);
    if (!type.isInstance(value)) {
      throw VineyardException.of(Status.TYPE,
          "object " + id + ": field '" + name + "' is " + Values.kindOf(value) + ", not " + KINDS.get(type));
    }
    return type.cast(value);
  }

  /**
   * The value of a field that is an integer.
   *
   * @param name of the field
   * @return the number
   * @throws VineyardException there is none, or it is no integer, or not one of 64 bits with a sign
   */
  public long getLong(String name) {
    return field(name, Long.class);
  }

  /**
   * The value of a field that is an integer of any size that fields have.
   *
   * @param name of the field
   * @return the number
   * @throws VineyardException there is none, or it is no integer
   */
  public BigInteger getBigInteger(String name) {
    Object value = field(name);
    return value instanceof Long ? BigInteger.valueOf((Long) value) : field(name, BigInteger.class);
  }

  /**
   * The value of a field that is a number with a fraction.
   *
   * @param name of the field
   * @return the number, bit for bit
   * @throws VineyardException there is none, or it is another type
   */
  public double getDouble(String name) {
    return field(name, Double.class);
  }

  /**
   * The value of a field that is true or false.
   *
   * @param name of the field
   * @return the value
   * @throws VineyardException there is none, or it is another type
   */
  public boolean getBoolean(String name) {
    return field(name, Boolean.class);
  }

  /**
   * The value of a field that is text.
   *
   * @param name of the field
   * @return the text
   * @throws VineyardException there is none, or it is another type
   */
  public String getString(String name) {
    return field(name, String.class);
  }

  /**
   * The value of a field that is bytes.
   *
   * @param name of the field
   * @return a copy
   * @throws VineyardException there is none, or it is another type
   */
  public byte[] getBytes(String name) {
    return field(name, byte[].class).clone();
  }

  /**
   * The value of a field that is a list.
   *
   * @param name of the field
   * @return can not be changed
   * @throws VineyardException there is none, or it is another type
   */
  @SuppressWarnings("unchecked")
  public List<Object> getList(String name) {
    return (List<Object>) field(name, List.class);
  }

  /**
   * The value of a field that is a map.
   *
   * @param name of the field
   * @return can not be changed
   * @throws VineyardException there is none, or it is another type
   */
  @SuppressWarnings("unchecked")
  public Map<String, Object> getMap(String name) {
    return (Map<String, Object>) field(name, Map.class);
  }

  // ---- members

  /**
   * All members in the order of the object.
   *
   * @return names and ids; can not be changed
   */
  public Map<String, ObjectId> members() {
    return record().members;
  }

  /**
   * A member, held by what holds this: no message, and it may outlive this.
   *
   * @param name of the member
   * @return to be closed
   * @throws VineyardException.NotFound there is none
   */
  public VineyardObject member(String name) {
    byte[] bytes = Utf8.name("member", name);
    Handle member = newHandle();
    return own(member, object -> Native.vineyard_object_member(object, bytes),
        () -> new VineyardObject(new ObjectId(Native.vineyard_object_id(member.pointer())), member, client));
  }

  /**
   * A member that is a blob.
   *
   * @param name of the member
   * @return to be closed
   * @throws VineyardException there is none, it is not a blob, or its payload is not here
   */
  public Blob memberBlob(String name) {
    byte[] bytes = Utf8.name("member", name);
    Pin pin = new Pin();
    return own(pin, object -> Native.vineyard_object_member_blob(object, bytes), () -> new Blob(pin.locate()));
  }

  /**
   * The object itself as a blob.
   *
   * @return to be closed
   * @throws VineyardException it is not one, or its payload is not here
   */
  public Blob blob() {
    Pin pin = new Pin();
    return own(pin, Native::vineyard_object_blob, () -> new Blob(pin.locate()));
  }

  /**
   * The object itself as an array.
   *
   * @return to be closed
   * @throws VineyardException it is not one, or its payload is not here
   */
  public Tensor tensor() {
    Tensor.Answer tensor = new Tensor.Answer();
    return own(tensor.pin, object -> (tensor.numbers = Native.vy_object_tensor(object))[0], () -> new Tensor(id, tensor));
  }

  // ---- life

  /** Lets go of it; members, blobs and arrays that were taken of it stay. Closing twice is allowed. */
  @Override
  public void close() {
    handle.close(this, cleanable);
  }

  @Override
  public String toString() {
    return "VineyardObject[" + id + (handle.isClosed() ? ", closed]" : ", " + typeName() + "]");
  }

  private long call(LongUnaryOperator function) {
    return handle.use(this, function::applyAsLong);
  }

  private <T> T own(Holder holder, LongUnaryOperator function, Supplier<T> owner) {
    try {
      return Holder.own(holder, handle, function, owner);
    } finally {
      Reference.reachabilityFence(this);  // its cleaner would end the call
    }
  }

  private Record record() {
    return handle.use(this, object -> {
      Record known = record;
      if (known == null) {
        known = new Record(Values.decodeList(Native.vy_object_record(object)));
        record = known;
      }
      return known;
    });
  }

  static Instant instant(long milliseconds) {
    return milliseconds == 0 ? null : Instant.ofEpochMilli(milliseconds);
  }

  // What vy_object_record answers.
  private static final class Record {
    final String typeName, ownerHost;
    final long nbytes, instance, ownerSinceMs, staleSinceMs;
    final boolean persisted, remote, lost;
    final int ownerUid;
    final Map<String, Object> fields;
    final Map<String, ObjectId> members;

    @SuppressWarnings("unchecked")
    Record(List<Object> parts) {
      typeName = (String) parts.get(0);
      nbytes = parts.get(2) instanceof Long bytes ? bytes : Long.MAX_VALUE;
      instance = ((Number) parts.get(3)).longValue();
      persisted = (Long) parts.get(4) != 0;
      remote = (Long) parts.get(5) != 0;
      lost = (Long) parts.get(6) != 0;
      ownerSinceMs = ((Number) parts.get(7)).longValue();
      ownerHost = (String) parts.get(8);
      staleSinceMs = ((Number) parts.get(9)).longValue();
      fields = (Map<String, Object>) parts.get(10);
      Map<String, ObjectId> ids = new LinkedHashMap<>();
      ((Map<String, Object>) parts.get(11)).forEach((name, number) -> ids.put(name, new ObjectId((Long) number)));
      members = Collections.unmodifiableMap(ids);
      ownerUid = (int) (long) (Long) parts.get(12);
    }
  }
}
