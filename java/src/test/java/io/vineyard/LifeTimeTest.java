package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.ref.Reference;
import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.PrimitiveIterator;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A pin lives as long as what was made of it, and no longer, whatever the collector does. */
class LifeTimeTest extends WithClient {
  private static final int COUNT = 100_000;
  private static final long PATIENCE_NS = 100_000_000_000L;

  /** Something that keeps a pin: reads all of the numbers, however it is kept. */
  private interface View extends Supplier<long[]> {}

  private static long[] numbers() {
    return LongStream.range(0, COUNT).map(i -> i * 0x9E3779B97F4A7C15L).toArray();
  }

  private static View of(ByteBuffer buffer) {
    return () -> {
      long[] numbers = new long[COUNT];
      buffer.duplicate().order(ByteOrder.LITTLE_ENDIAN).asLongBuffer().get(numbers);
      return numbers;
    };
  }

  // Each of another way to a view; what it leaves behind is for the collector. `id`: an array of the numbers.
  private static List<Named<Function<Client, Function<ObjectId, View>>>> views() {
    List<Named<Function<Client, Function<ObjectId, View>>>> views = new ArrayList<>();
    views.add(Named.of("a buffer of a blob", client -> id -> of(blob(client, id).buffer())));
    views.add(Named.of("a slice of a blob", client -> id -> {
      ByteBuffer last = blob(client, id).slice(8, (COUNT - 1) * 8L);
      return () -> {
        long[] numbers = new long[COUNT];  // the first is 0
        last.asLongBuffer().get(0, numbers, 1, COUNT - 1);
        return numbers;
      };
    }));
    views.add(Named.of("a duplicate", client -> id -> of(blob(client, id).buffer().duplicate())));
    views.add(Named.of("a slice of a slice", client -> id -> of(blob(client, id).buffer().slice().slice())));
    views.add(Named.of("a read-only view", client -> id -> of(blob(client, id).buffer().asReadOnlyBuffer())));
    views.add(Named.of("a buffer of longs", client -> id -> {
      var longs = blob(client, id).buffer().asLongBuffer().slice().duplicate();
      return () -> {
        long[] numbers = new long[COUNT];
        longs.get(0, numbers);
        return numbers;
      };
    }));
    views.add(Named.of("a typed array of a blob", client -> id -> blob(client, id).as(Int64Array.class)::toArray));
    views.add(Named.of("a typed array of an array", client -> id -> client.getTensor(id).as(Int64Array.class)::toArray));
    views.add(Named.of("a buffer of a typed array", client -> id -> {
      var longs = client.getTensor(id).as(Int64Array.class).asBuffer();
      return () -> {
        long[] numbers = new long[COUNT];
        longs.get(0, numbers);
        return numbers;
      };
    }));
    views.add(Named.of("a buffer of an array", client -> id -> of(client.getTensor(id).as(ByteBuffer.class))));
    views.add(Named.of("a value that is an array", client -> id -> ((Tensor) client.getValue(id)).as(Int64Array.class)::toArray));
    views.add(Named.of("a value that is a buffer", client -> id -> {
      try (VineyardObject object = client.get(id)) {
        return of((ByteBuffer) client.getValue(object.members().get("buffer_")));
      }
    }));
    views.add(Named.of("a blob", client -> id -> {
      Blob blob = blob(client, id);
      return () -> of(blob.buffer()).get();
    }));
    views.add(Named.of("an array", client -> id -> {
      Tensor tensor = client.getTensor(id);
      return () -> tensor.as(Int64Array.class).toArray();
    }));
    views.add(Named.of("an object", client -> id -> {
      VineyardObject object = client.get(id);
      return () -> of(object.memberBlob("buffer_").buffer()).get();
    }));
    views.add(Named.of("a member of an object", client -> id -> {
      VineyardObject member = client.get(id).member("buffer_");
      return () -> of(member.blob().buffer()).get();
    }));
    return views;
  }

  private static Blob blob(Client client, ObjectId array) {
    try (VineyardObject object = client.get(array)) {
      return object.memberBlob("buffer_");
    }
  }

  private long used() {
    return (Long) client.status().get("memory_used");
  }

  /** Lets the collector work until something is so. */
  private static void collectUntil(BooleanSupplier done, Supplier<String> otherwise) {
    for (long end = System.nanoTime() + PATIENCE_NS; !done.getAsBoolean(); ) {
      assertTrue(System.nanoTime() < end, otherwise);
      System.gc();
    }
  }

  @BeforeEach
  void nothingIsLeftOfTheTestBefore() {
    collectUntil(() -> used() == 0 && sessions() == 1, () -> client.status().toString());
  }

  private long sessions() {
    return (Long) client.status().get("sessions");
  }

  /** Lets the collector and the cleaner take all that they can. */
  private static void collect() {
    for (int i = 0; i < 3; ++i) {
      List<byte[]> pressure = new ArrayList<>();
      for (int j = 0; j < 100; ++j) {
        pressure.add(new byte[1 << 20]);
      }
      WeakReference<Object> later = new WeakReference<>(pressure);
      pressure = null;
      collectUntil(() -> later.get() == null, () -> "the collector does nothing");
    }
  }

  /** Takes all memory that is free for bytes of its own, and gives it back. */
  private void reuse() {
    List<ObjectId> ids = new ArrayList<>();
    byte[] filling = new byte[COUNT * 8];
    Arrays.fill(filling, (byte) 0xAA);
    assertThrows(VineyardException.StoreFull.class, () -> {
      for (;;) {
        ids.add(client.put(filling));
      }
    });
    client.delete(ids, DeleteOptions.DEFAULT);
  }

  private static View view(Function<Client, Function<ObjectId, View>> way, ObjectId id) {
    Client gone = daemon.connect();  // nobody closes it
    return way.apply(gone).apply(id);
  }

  @ParameterizedTest
  @MethodSource("views")
  void bytesStayWhileAViewIsReachableAndNoLonger(Function<Client, Function<ObjectId, View>> way) {
    ObjectId id = client.putValue(numbers());
    View view = view(way, id);
    client.delete(id);
    collect();
    reuse();
    assertArrayEquals(numbers(), view.get());
    collect();
    assertArrayEquals(numbers(), view.get());
    assertTrue(used() >= COUNT * 8L);
    view = null;
    collectUntil(() -> used() == 0, () -> "used: " + used() + " bytes");
  }

  @Test
  void aStreamKeepsWhatItReads() {
    ObjectId id = client.putValue(numbers());
    PrimitiveIterator.OfLong iterator = stream(id).iterator();
    client.delete(id);
    long[] expected = numbers();
    for (int i = 0; i < COUNT; ++i) {
      if (i == COUNT / 2) {
        collect();
        reuse();
      }
      assertEquals(expected[i], iterator.nextLong());
    }
  }

  private static LongStream stream(ObjectId id) {
    return daemon.connect().getTensor(id).as(Int64Array.class).stream();
  }

  @Test
  void whatNeedsItsClientKeepsItOpen() {
    ObjectId id = client.putValue(numbers());
    client.putName("kept", id);
    Iterator<ObjectId> list = daemon.connect().list("*").iterator();
    Iterator<NamedObject> names = daemon.connect().names("*").iterator();
    VineyardObject object = daemon.connect().get(id);
    BlobWriter writer = daemon.connect().createBlob(8);
    Watch watch = daemon.connect().watch();
    collect();
    assertTrue(list.hasNext());
    assertEquals("kept", names.next().name());
    assertEquals(COUNT * 8, object.memberBlob("buffer_").size());
    assertTrue(client.exists(writer.seal()));
    client.persist(id);
    assertEquals(id, watch.next().id());
    client.dropName("kept");
  }

  @Test
  void aCloseGivesTheBytesBackWithoutACollector() {
    ObjectId id = client.putValue(numbers());
    Blob blob = blob(client, id);
    ByteBuffer buffer = blob.buffer();
    Tensor tensor = client.getTensor(id);
    Int64Array array = tensor.as(Int64Array.class);
    VineyardObject object = client.get(id);
    client.delete(id);
    blob.close();
    tensor.close();
    assertTrue(used() > 0);
    object.close();
    for (long end = System.nanoTime() + PATIENCE_NS; used() != 0; ) {
      assertTrue(System.nanoTime() < end, () -> "used: " + used() + " bytes");
    }
    assertEquals(COUNT * 8, buffer.remaining());
    assertEquals(COUNT, array.size());
  }

  @Test
  void whatWasWrittenIsGivenBackByItsDeletionThoughNobodyHasCollectedItsBuffers() {
    List<ByteBuffer> buffers = new ArrayList<>();
    ObjectId put = client.put(new byte[1 << 20]);
    ObjectId array = client.putValue(numbers());
    BlobWriter writer = client.createBlob(1 << 20);
    buffers.add(writer.buffer());
    ObjectId written = writer.seal();
    writer.close();
    client.delete(put, array, written);
    BlobWriter aborted = client.createBlob(1 << 20);
    buffers.add(aborted.buffer());
    aborted.close();
    assertEquals(0, used());
    assertEquals(2, buffers.size());
  }

  /** Puts of other bytes until nothing is free: the ids. */
  private List<ObjectId> fill(byte[] filling) {
    List<ObjectId> ids = new ArrayList<>();
    assertThrows(VineyardException.StoreFull.class, () -> {
      for (;;) {
        ids.add(client.put(filling));
      }
    });
    return ids;
  }

  private void assertWrittenToNobodyElse(ByteBuffer buffer) {
    byte[] filling = new byte[COUNT * 8];
    Arrays.fill(filling, (byte) 0xAA);
    List<ObjectId> ids = fill(filling);
    buffer.put(0, new byte[buffer.capacity()]);
    for (ObjectId id : ids) {
      try (Blob blob = client.getBlob(id)) {
        assertArrayEquals(filling, blob.toByteArray());
      }
    }
    client.delete(ids, DeleteOptions.DEFAULT);
  }

  private static ByteBuffer written(Client client) {
    return client.createBlob(COUNT * 8).slice(8, (COUNT - 1) * 8L).duplicate().slice();
  }

  @Test
  void aSliceOfAWriterKeepsItsMemoryAndNoLonger() {
    ByteBuffer slice = written(client);
    collect();
    assertTrue(used() >= COUNT * 8);
    assertWrittenToNobodyElse(slice);
    collect();
    assertWrittenToNobodyElse(slice);
    slice = null;
    collectUntil(() -> used() == 0, () -> "used: " + used() + " bytes");
  }

  @Test
  void aSliceOfAWriterWhoseClientIsCollectedToo() {
    ByteBuffer slice = written(daemon.connect());
    collect();
    assertWrittenToNobodyElse(slice);
  }

  @Test
  void aClosedClientIsGoneThoughWhatWasMadeByItIsThere() {
    Client closed = daemon.connect();
    BlobWriter writer = closed.createBlob(COUNT * 8);
    ByteBuffer slice = writer.slice(8, 100);
    Iterator<ObjectId> list = closed.list("*").iterator();
    Iterator<NamedObject> names = closed.names("*").iterator();
    closed.close();
    for (long end = System.nanoTime() + PATIENCE_NS; used() != 0 || sessions() != 1; ) {
      assertTrue(System.nanoTime() < end, () -> client.status().toString());
    }
    assertWrittenToNobodyElse(slice);
    writer.close();
    assertWrittenToNobodyElse(slice);
    assertThrows(IllegalStateException.class, list::hasNext);
    assertThrows(IllegalStateException.class, names::hasNext);
  }

  @Test
  void aWriterIsUsedBehindItsClient() {
    Client closed = daemon.connect();
    BlobWriter writer = closed.createBlob(8);
    closed.close();
    assertThrows(IllegalStateException.class, writer::buffer);
    assertThrows(IllegalStateException.class, writer::seal);
    writer.close();
    Reference.reachabilityFence(closed);
  }

  @Test
  void whatNobodyClosesTheCollectorDoes() {
    leave();
    collectUntil(() -> used() == 0 && sessions() == 1, () -> client.status().toString());
  }

  private static void leave() {
    Client gone = daemon.connect();
    gone.createBlob(1 << 20).buffer().put(0, (byte) 1);
    gone.watch();
    gone.list("*").iterator().hasNext();
    gone.names("*");
    ObjectId id = gone.putValue(numbers());
    gone.get(id);
    gone.getTensor(id).as(Int64Array.class).stream();
    gone.delete(id);
  }
}
