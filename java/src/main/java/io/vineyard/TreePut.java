package io.vineyard;

import io.vineyard.internal.Arena;
import io.vineyard.internal.Native;
import io.vineyard.internal.Use;
import io.vineyard.internal.Utf8;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * One put of a tree: makes the native builders of its metadata, keeps what they borrow until the put has returned, and
 * gives all of it back. Payload goes to where the daemon has it by one copy: small ones with the message, large ones
 * straight into shared memory.
 */
final class TreePut implements AutoCloseable {
  static final int MAX_DEPTH = 64;  // levels that the store takes

  private final Client client;
  private final Share share;
  private final Map<ObjectMeta, Long> builders = new IdentityHashMap<>();
  // A payload that is a member in several places is one blob.
  private final Map<ObjectMeta.Payload, Long> blobs = new IdentityHashMap<>();
  private final Map<ObjectMeta.Payload, BlobWriter> writers = new IdentityHashMap<>();
  private final Arena arena = new Arena();
  private final List<ByteBuffer> borrowed = new ArrayList<>();
  private final List<Use> uses = new ArrayList<>();

  TreePut(Client client, Share share) {
    this.client = client;
    this.share = share;
  }

  /** The native builder of this metadata and all below it. */
  long build(ObjectMeta meta) {
    return build(meta, 1);
  }

  /** The native builder of a blob by itself. */
  long build(ObjectMeta.Payload payload) {
    return blobs.computeIfAbsent(payload, this::blob);
  }

  /** After the put: says to all metadata what it has become. */
  void tellIds() {
    builders.forEach((meta, built) -> meta.id = new ObjectId(Native.vineyard_meta_id(built)));
  }

  private long build(ObjectMeta meta, int depth) {
    if (depth > MAX_DEPTH) {
      throw tooDeep();
    }
    Long known = builders.get(meta);
    if (known != null) {
      if (known == 0) {
        throw new IllegalArgumentException("metadata of " + meta.typeName + ": it is a member of itself");
      }
      return known;
    }
    if (meta.id != null) {
      throw new IllegalArgumentException("metadata of " + meta.typeName + ": it was put already, as " + meta.id
          + "; metadata is put once, add the id to link to it");
    }
    builders.put(meta, 0L);
    long built = Native.vineyard_meta_create(Utf8.name("type name", meta.typeName));
    try {
      for (ObjectMeta.Part part : meta.parts) {
        add(built, part, depth);
      }
      builders.put(meta, built);
    } catch (RuntimeException | Error error) {
      Native.vineyard_meta_release(built);
      throw error;
    }
    return built;
  }

  static VineyardException tooDeep() {
    return VineyardException.of(Status.LIMIT, "put: a tree of more than " + MAX_DEPTH + " levels");
  }

  private void add(long built, ObjectMeta.Part part, int depth) {
    byte[] name = Utf8.name("name of a field or member", part.name());
    if (part.field() != null) {
      Native.vy_meta_set(built, name, part.field());
    } else if (part.id() != null) {
      Native.vineyard_meta_add_id(built, name, part.id().number());
    } else if (part.meta() != null) {
      Native.vineyard_meta_add_meta(built, name, build(part.meta(), depth + 1));
    } else if (part.writer() != null) {
      addWriter(built, name, part.writer());
    } else {
      addPayload(built, name, part.payload());
    }
  }

  private void addWriter(long built, byte[] name, BlobWriter writer) {
    Use use = new Use(writer.handle());
    uses.add(use);
    Native.vineyard_meta_add_writer(built, name, use.enter(use::pointer));
  }

  private void addPayload(long built, byte[] name, ObjectMeta.Payload payload) {
    if (payload.direct == null && payload.size > Arena.LARGEST) {
      addWriter(built, name, writers.computeIfAbsent(payload, this::write));
    } else if (payload.shared) {
      Native.vineyard_meta_add_meta(built, name, blobs.computeIfAbsent(payload, this::blob));
    } else {
      Native.vineyard_meta_add_bytes(built, name, borrow(payload), payload.size, payload.kind.number());
    }
  }

  private BlobWriter write(ObjectMeta.Payload payload) {
    BlobWriter writer = client.createBlob(payload.size, payload.kind, share);
    try {
      writer.fill(payload.fill);
      client.addCopied(payload.size);
      return writer;
    } catch (RuntimeException | Error error) {
      writer.close();
      throw error;
    }
  }

  private long blob(ObjectMeta.Payload payload) {
    return Native.vineyard_meta_create_blob(borrow(payload), payload.size, payload.kind.number());
  }

  // Where its bytes lie until the put has returned.
  private long borrow(ObjectMeta.Payload payload) {
    if (payload.direct == null) {
      return arena.take(payload.size, payload.fill);
    }
    borrowed.add(payload.direct);
    return address(payload.direct);
  }

  /** Where what remains of a direct buffer begins. */
  static long address(ByteBuffer direct) {
    return Native.vy_address(direct) + direct.position();
  }

  @Override
  public void close() {
    Throwable failed = Ends.each(uses, Use::run, null);
    failed = Ends.each(writers.values(), BlobWriter::close, failed);
    failed = Ends.each(builders.values(), TreePut::release, failed);
    failed = Ends.each(blobs.values(), TreePut::release, failed);
    arena.close();
    Reference.reachabilityFence(borrowed);
    Ends.check(failed);
  }

  private static void release(long built) {
    if (built != 0) {
      Native.vineyard_meta_release(built);
    }
  }
}
