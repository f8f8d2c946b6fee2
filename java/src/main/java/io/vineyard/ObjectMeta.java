package io.vineyard;

import io.vineyard.internal.Values;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;

/**
 * An object to be put: a type name, typed fields and members, in the order in which they are given. Members may be
 * objects that exist, blobs being written, bytes, or other metadata, which the same put stores; metadata that is a
 * member in several places is one object. Needs no connection; for one thread at a time; put once.
 */
public final class ObjectMeta {
  final String typeName;
  final List<Part> parts = new ArrayList<>();
  private final Set<String> names = new HashSet<>();
  volatile ObjectId id;  // once it was put

  /** One field (its value in bytes) or member. Exactly one of the last five is there. */
  record Part(String name, byte[] field, ObjectId id, ObjectMeta meta, BlobWriter writer, Payload payload) {}

  /** Bytes that become a blob by the put: written by `fill`, or (then that is null) those of a direct buffer. */
  static final class Payload {
    final int size;
    final BlobKind kind;
    final ByteBuffer direct;
    final Consumer<ByteBuffer> fill;
    boolean shared;  // a member in several places: one blob

    Payload(int size, BlobKind kind, ByteBuffer direct, Consumer<ByteBuffer> fill) {
      this.size = size;
      this.kind = kind;
      this.direct = direct;
      this.fill = fill;
    }

    static Payload of(ByteBuffer bytes, BlobKind kind) {
      ByteBuffer part = Objects.requireNonNull(bytes, "bytes").slice();
      int size = part.remaining();
      return part.isDirect() ? new Payload(size, kind, part, null) : new Payload(size, kind, null, to -> to.put(part.duplicate()));
    }
  }

  /**
   * Begins an object.
   *
   * @param typeName "mine::Ticker", at most 1,024 bytes
   */
  public ObjectMeta(String typeName) {
    this.typeName = Objects.requireNonNull(typeName, "type name");
  }

  private ObjectMeta add(String name, byte[] field, ObjectId id, ObjectMeta meta, BlobWriter writer, Payload payload) {
    Objects.requireNonNull(name, "name");
    if (!names.add(name)) {
      throw new IllegalArgumentException("metadata of " + typeName + ": '" + name + "' is set already");
    }
    parts.add(new Part(name, field, id, meta, writer, payload));
    return this;
  }

  // ---- fields

  /**
   * A field of any type that fields have: null, Boolean, Byte, Short, Integer, Long, BigInteger of 64 bits, Float, Double,
   * String, byte[], List, Map with String keys.
   *
   * @param name of the field
   * @param value is copied
   * @return this
   * @throws IllegalArgumentException a value of another type, or the name is taken in this object
   */
  public ObjectMeta set(String name, Object value) {
    Objects.requireNonNull(name, "name");
    return add(name, Values.encode("field '" + name + "'", value), null, null, null, null);
  }

  /**
   * A field of 64 bits without a sign.
   *
   * @param name of the field
   * @param bits the number's bits
   * @return this
   * @throws IllegalArgumentException the name is taken in this object
   */
  public ObjectMeta setUnsigned(String name, long bits) {
    return set(name, bits >= 0 ? (Object) bits : new BigInteger(Long.toUnsignedString(bits)));
  }

  // ---- members

  /**
   * A member that exists here, or that its instance has persisted.
   *
   * @param name of the member
   * @param id of an object
   * @return this
   * @throws IllegalArgumentException the name is taken in this object
   */
  public ObjectMeta add(String name, ObjectId id) {
    return add(name, null, Objects.requireNonNull(id, "id"), null, null, null);
  }

  /**
   * The same by an open object.
   *
   * @param name of the member
   * @param object that exists
   * @return this
   * @throws IllegalArgumentException the name is taken in this object
   */
  public ObjectMeta add(String name, VineyardObject object) {
    return add(name, Objects.requireNonNull(object, "object").id());
  }

  /**
   * A member that the same put stores.
   *
   * @param name of the member
   * @param member other metadata; in several places: one object
   * @return this
   * @throws IllegalArgumentException the name is taken in this object
   */
  public ObjectMeta add(String name, ObjectMeta member) {
    return add(name, null, null, Objects.requireNonNull(member, "member"), null, null);
  }

  /**
   * A blob that the same put seals.
   *
   * @param name of the member
   * @param writer of the same client; to be closed as always, behind the put
   * @return this
   * @throws IllegalArgumentException the name is taken in this object
   */
  public ObjectMeta add(String name, BlobWriter writer) {
    return add(name, null, null, null, Objects.requireNonNull(writer, "writer"), null);
  }

  /**
   * A blob that the same put makes of these bytes.
   *
   * @param name of the member
   * @param bytes what remains of the buffer, as it lies there, whatever {@link ByteBuffer#order()} says (elements of arrays are
   *     little-endian in the store); not to be changed until the put
   * @param kind how it is stored
   * @return this
   * @throws IllegalArgumentException the name is taken in this object
   */
  public ObjectMeta add(String name, ByteBuffer bytes, BlobKind kind) {
    return add(name, null, null, null, null, Payload.of(bytes, Objects.requireNonNull(kind, "kind")));
  }

  // The same payload in several places: its builder says so.
  ObjectMeta add(String name, Payload payload) {
    return add(name, null, null, null, null, payload);
  }

  // Little-endian bytes that `fill` writes.
  ObjectMeta add(String name, int size, Consumer<ByteBuffer> fill) {
    return add(name, null, null, null, null, new Payload(size, BlobKind.BUFFER, null, fill));
  }

  /**
   * The same of an array.
   *
   * @param name of the member
   * @param bytes not to be changed until the put
   * @param kind how it is stored
   * @return this
   * @throws IllegalArgumentException the name is taken in this object
   */
  public ObjectMeta add(String name, byte[] bytes, BlobKind kind) {
    return add(name, ByteBuffer.wrap(Objects.requireNonNull(bytes, "bytes")), kind);
  }

  /**
   * All of these fields.
   *
   * @param fields names and values, as for {@link #set(String, Object)}
   * @return this
   */
  public ObjectMeta setAll(Map<String, ?> fields) {
    Objects.requireNonNull(fields, "fields").forEach(this::set);
    return this;
  }

  /**
   * The id of the object that a put has made of it.
   *
   * @return null before the put
   */
  public ObjectId id() {
    return id;
  }

  @Override
  public String toString() {
    return "ObjectMeta[" + typeName + ", " + parts.size() + " fields and members]";
  }
}
