package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** evict, load, pin and unpin: where an object lies because a program says so. */
class HandTest {
  @TempDir private Path spilled;
  private Daemon daemon;
  private Client client;

  @BeforeEach
  void connect() {
    daemon = new Daemon("64Mi", "--meta", "local", "--spill-path", spilled.toString(), "--spill-upper-rate", "1");
    client = Vineyard.connect(daemon.socket());
  }

  @AfterEach
  void close() {
    client.close();
    daemon.close();
  }

  private long spilledBlobs() {
    return (Long) client.status().get("spilled_blobs");
  }

  @Test
  void aTreeGoesToAFileAndComesBack() throws IOException {
    double[] numbers = new double[1 << 20];
    numbers[numbers.length - 1] = 7;
    ObjectId id = client.putValue(List.of("a", numbers));
    client.evict(id);
    assertEquals(1, spilledBlobs());
    try (var files = Files.walk(spilled)) {
      assertEquals(1, files.filter(Files::isRegularFile).count());
    }
    client.load(id);
    assertEquals(0, spilledBlobs());
    client.evict(id);
    try (OpenValue value = client.openValue(id)) {
      Tensor read = (Tensor) ((List<?>) value.get()).get(1);
      assertEquals(7, read.as(Float64Array.class).get((1 << 20) - 1));
    }
    assertEquals(0, spilledBlobs());
  }

  @Test
  void whatIsPinnedStaysUntilItsLastUnpin() {
    ObjectId id = client.put(new byte[1 << 20]);
    client.pin(id);
    client.pin(id);
    String pid = "pid " + ProcessHandle.current().pid() + " ";
    for (int i = 0; i < 2; ++i) {
      var inUse = assertThrows(VineyardException.InUse.class, () -> client.evict(id));
      assertTrue(inUse.getMessage().contains(pid), inUse.getMessage());
      client.unpin(id);
    }
    assertThrows(VineyardException.NotFound.class, () -> client.unpin(id));
    client.evict(id);
    assertEquals(1, spilledBlobs());
  }

  @Test
  void aPinLoadsAndEndsWithItsClient() {
    ObjectId id = client.put(new byte[1 << 20]);
    client.evict(id);
    Client other = Vineyard.connect(daemon.socket());
    other.pin(id);
    assertEquals(0, spilledBlobs());
    assertThrows(VineyardException.InUse.class, () -> client.evict(id));
    other.close();
    assertThrows(IllegalStateException.class, () -> other.unpin(id));
    client.evict(id);
  }

  @Test
  void whatIsNotThereIsNotFound() {
    ObjectId gone = client.put(new byte[100]);
    client.delete(gone);
    assertThrows(VineyardException.NotFound.class, () -> client.evict(gone));
    assertThrows(VineyardException.NotFound.class, () -> client.load(gone));
    assertThrows(VineyardException.NotFound.class, () -> client.pin(gone));
  }

  @Test
  void withoutAPlaceForFilesNothingIsEvicted() {
    try (Daemon plain = new Daemon();
        Client asking = Vineyard.connect(plain.socket())) {
      ObjectId id = asking.put(new byte[100]);
      VineyardException error = assertThrows(VineyardException.class, () -> asking.evict(id));
      assertEquals(Status.UNSUPPORTED, error.status());
      asking.load(id);
      asking.pin(id);
      asking.unpin(id);
    }
  }
}
