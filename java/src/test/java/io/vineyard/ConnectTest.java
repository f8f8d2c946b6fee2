package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Connecting to what is no daemon, or goes away. */
class ConnectTest {
  private Path folder;

  @BeforeEach
  void makeFolder() throws IOException {
    folder = Files.createTempDirectory("vy-");
  }

  @AfterEach
  void deleteFolder() throws IOException {
    try (var files = Files.list(folder)) {
      for (Path each : files.toList()) {
        Files.delete(each);
      }
    }
    Files.delete(folder);
  }

  /** The text names the path. */
  private VineyardException refused(Path socket) {
    ClientOptions options = ClientOptions.DEFAULT.withSocket(socket.toString()).withTimeout(Duration.ofSeconds(2));
    VineyardException error = assertThrows(VineyardException.class, () -> Vineyard.connect(options));
    assertTrue(error.getMessage().contains(socket.toString()), error.getMessage());
    return error;
  }

  @Test
  void nobodyIsThere() {
    assertInstanceOf(VineyardException.Unavailable.class, refused(folder.resolve("none")));
    assertInstanceOf(VineyardException.Unavailable.class, refused(folder.resolve("no folder").resolve("none")));
  }

  @Test
  void aPlainFileOrAFolderIsNoSocket() throws IOException {
    assertInstanceOf(VineyardException.Unavailable.class, refused(Files.writeString(folder.resolve("file"), "text")));
    assertInstanceOf(VineyardException.Unavailable.class, refused(folder));
  }

  @Test
  void aPathCanBeTooLong() {
    assertInstanceOf(VineyardException.LimitExceeded.class, refused(folder.resolve("x".repeat(200))));
    var error = assertThrows(VineyardException.class, () -> Vineyard.connect(""));
    assertTrue(error.getMessage().contains("socket"), error.getMessage());
  }

  @Test
  void aSocketThatNobodyListensToAnyMore() throws IOException {
    Path left = folder.resolve("left");
    try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      server.bind(UnixDomainSocketAddress.of(left));
    }
    assertInstanceOf(VineyardException.Unavailable.class, refused(left));
  }

  @Test
  void aServerThatSaysGarbageNothingOrGoodbye() throws IOException {
    byte[] garbage = new byte[4096];
    java.util.Arrays.fill(garbage, (byte) 0xA5);
    assertEquals(Status.PROTOCOL, refusedBy(ByteBuffer.wrap(garbage), false).status());
    assertInstanceOf(VineyardException.TimedOut.class, refusedBy(ByteBuffer.allocate(0), true));
    assertInstanceOf(VineyardException.Unavailable.class, refusedBy(ByteBuffer.allocate(0), false));
  }

  private VineyardException refusedBy(ByteBuffer says, boolean stays) throws IOException {
    Path path = folder.resolve("server");
    try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      server.bind(UnixDomainSocketAddress.of(path));
      CompletableFuture.runAsync(() -> serve(server, says, stays));
      return refused(path);
    } finally {
      Files.deleteIfExists(path);
    }
  }

  private static void serve(ServerSocketChannel server, ByteBuffer says, boolean stays) {
    try {
      for (;;) {
        SocketChannel channel = server.accept();
        channel.read(ByteBuffer.allocate(1));
        channel.write(says.duplicate());
        if (!stays) {
          channel.close();
        }
      }
    } catch (IOException end) {
      // The server is closed.
    }
  }

  // One that does not wait for long, however long a daemon that is there takes to let it in.
  private static Client connectHasty(Daemon daemon) {
    for (;;) {
      try {
        return Vineyard.connect(ClientOptions.DEFAULT.withSocket(daemon.socket()).withTimeout(Duration.ofMillis(500)));
      } catch (VineyardException tooSlow) {
        assertTrue(tooSlow.status().isRetryable(), tooSlow::toString);
      }
    }
  }

  @Test
  void aDaemonThatGoesAwayIsSaidAndOneThatComesBackIsFoundAgain() {
    try (Daemon daemon = new Daemon()) {
      try (Client client = daemon.connect(); Client hasty = connectHasty(daemon)) {
        long instance = client.instance();
        ObjectId id = client.putValue("text");
        daemon.stop();
        assertThrows(VineyardException.Unavailable.class, hasty::status);
        assertThrows(VineyardException.class, () -> hasty.putValue("more"));
        daemon.start();
        assertThrows(VineyardException.NotFound.class, () -> client.getValue(id));
        assertEquals("again", client.getValue(client.putValue("again")));
        assertTrue(instance != 0);
        assertTrue(client.statistics().reconnects() > 0);
      }
    }
  }

  @Test
  void optionsThatCanNotBeAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> ClientOptions.DEFAULT.withTimeout(Duration.ZERO));
    assertThrows(IllegalArgumentException.class, () -> ClientOptions.DEFAULT.withTimeout(Duration.ofMillis(-1)));
    try (Daemon daemon = new Daemon();
        Client client = Vineyard.connect(ClientOptions.DEFAULT.withSocket(daemon.socket()).withTimeout(Duration.ofSeconds(Long.MAX_VALUE)))) {
      assertTrue(client.isConnected());  // longer than anybody waits
    }
  }
}
