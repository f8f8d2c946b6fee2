package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two daemons and a real ZooKeeper: what a client of one sees of the other. */
class ClusterTest {
  private static final Duration PATIENCE = Duration.ofSeconds(100);

  @TempDir static Path folder;
  private static Daemon first;
  private static Daemon second;

  @BeforeAll
  static void start() throws IOException {
    int port;
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    String[] meta = {"--meta", "auto:" + port, "--meta-dir", folder.resolve("zookeeper").toString()};
    first = new Daemon("64Mi", meta);
    second = new Daemon("64Mi", meta);
  }

  @AfterAll
  static void stop() {
    second.close();
    first.close();
  }

  private static ObjectId pairOf(Client one, Client two) {
    ObjectId here = one.putValue(new double[8]);
    ObjectId there = two.putValue(new double[] {1, 1, 1, 1});
    one.persist(here);
    two.persist(there);
    one.waitFor(two.position(), PATIENCE);
    ObjectId pair = one.putValue(Tuple.of(here, there));
    two.waitFor(one.position(), PATIENCE);
    return pair;
  }

  @Test
  void aPayloadElsewhereIsWhatTheClientsPolicySays() {
    try (Client one = first.connect(); Client two = second.connect()) {
      ObjectId pair = pairOf(one, two);
      Tuple value = (Tuple) two.getValue(pair);
      assertNull(value.get(0));
      assertArrayEquals(new double[] {1, 1, 1, 1}, ((Tensor) value.get(1)).as(Float64Array.class).toArray());
      for (RemotePolicy policy : List.of(RemotePolicy.ERROR, RemotePolicy.FETCH)) {
        try (Client strict = Vineyard.connect(ClientOptions.DEFAULT.withSocket(second.socket()).withRemote(policy))) {
          Class<? extends VineyardException> expected =
              policy == RemotePolicy.ERROR ? VineyardException.Remote.class : VineyardException.Unavailable.class;
          assertThrows(expected, () -> strict.getValue(pair));
        }
      }
    }
  }

  @Test
  void whatIsStoredAndCanNotBePersistedSaysItsId() {
    try (Client one = first.connect()) {
      ObjectMeta tooLarge = new ObjectMeta("example::Large").set("bytes", new byte[8 << 20]);
      var error = assertThrows(VineyardException.class, () -> one.put(tooLarge, PutOptions.DEFAULT.withPersist().withName("large")));
      assertEquals(one.getName("large").id(), error.stored());
      assertEquals(error.stored(), tooLarge.id());
      var taken = assertThrows(VineyardException.AlreadyExists.class, () -> one.putValue(1, PutOptions.DEFAULT.withName("large").withPersist()));
      assertNull(taken.stored());
    }
  }

  @Test
  void aPayloadElsewhereIsNoKeyThatIsNull() {
    try (Client one = first.connect(); Client two = second.connect()) {
      ObjectId map = one.putValue(Map.of(one.put(new byte[] {1}), 1, one.put(new byte[] {2}), 2), PutOptions.DEFAULT.withPersist());
      two.waitFor(one.position(), PATIENCE);
      var error = assertThrows(VineyardException.Remote.class, () -> two.getValue(map));
      assertTrue(error.getMessage().startsWith("$[key 0]: "), error.getMessage());
    }
  }

  @Test
  void norIsOneThatWasReadAsAValueBefore() {
    try (Client one = first.connect(); Client two = second.connect()) {
      ObjectId bytes = one.put(new byte[] {1});
      ObjectId inner = one.putValue(Tuple.of(one.putValue(Tuple.of(1L, bytes, 2L)), 3L));
      ObjectId beside = one.putValue(Tuple.of(4L, inner));
      for (ObjectId key : List.of(bytes, inner, beside)) {
        ObjectId value = one.putValue(List.of(inner, Map.of(key, 1)), PutOptions.DEFAULT.withPersist());
        two.waitFor(one.position(), PATIENCE);
        var error = assertThrows(VineyardException.Remote.class, () -> two.getValue(value));
        assertTrue(error.getMessage().startsWith("$[1][key 0]"), error.getMessage());
      }
      ObjectId twice = one.putValue(List.of(inner, Map.of(1L, inner)), PutOptions.DEFAULT.withPersist());
      two.waitFor(one.position(), PATIENCE);
      Tuple lacking = Tuple.of(Tuple.of(1L, null, 2L), 3L);
      assertEquals(List.of(lacking, Map.of(1L, lacking)), two.getValue(twice));
    }
  }

  @Test
  void metadataElsewhereIsReadAndSaysWhoseItIs() {
    try (Client one = first.connect(); Client two = second.connect(); VineyardObject object = two.get(pairOf(one, two))) {
      assertNotEquals(one.instance(), two.instance());
      assertTrue(object.isRemote() && object.isPersisted() && object.isGlobal());
      assertEquals(one.instance(), object.instance());
      assertFalse(object.isLost());
      assertNull(object.staleSince());
      try (VineyardObject half = object.member("first_"); VineyardObject other = object.member("second_")) {
        assertTrue(half.isRemote());
        assertFalse(other.isRemote());
        assertEquals(List.of(8L), half.getList("shape_"));
        assertThrows(VineyardException.Remote.class, half::tensor);
      }
    }
  }

  @Test
  void instancesNamesAndChangesAreTheClusters() {
    try (Client one = first.connect(); Client two = second.connect(); Watch watch = two.watch()) {
      assertEquals(List.of(one.instance(), two.instance()).stream().sorted().toList(),
          two.instances().stream().map(Instance::number).toList());
      ObjectId id = one.putValue("shared");
      one.persist(id);
      one.putName("java's", id);
      assertEquals(id, two.getLatestName("java's").id());
      assertEquals("shared", two.getValue(id));
      Event created = watch.next();
      while (created.kind() != Event.Kind.CREATED || !created.id().equals(id)) {
        created = watch.next();  // of the tests before
      }
      assertEquals(one.instance(), created.instance());
      assertEquals("java's", watch.next().name());
      two.delete(id);
      one.sync();
      assertFalse(one.exists(id));
    }
  }
}
