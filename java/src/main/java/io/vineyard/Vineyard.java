package io.vineyard;

import io.vineyard.internal.Native;
import io.vineyard.internal.NativeLibrary;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.Objects;

/** Where everything begins: {@code try (var client = Vineyard.connect()) { ... }}. */
public final class Vineyard {
  private Vineyard() {}

  /**
   * Connects to the daemon of this host: to the socket that the environment variable {@code VINEYARD_IPC_SOCKET}
   * names, else to the default socket ({@code /var/run/vineyard.sock} for root, for others
   * {@code $XDG_RUNTIME_DIR/vineyard.sock}, or where that is not set {@code /tmp/vineyard-UID/vineyard.sock}).
   *
   * @return a client, to be closed
   * @throws VineyardException nobody listens there, or not for this user, or with another protocol
   * @throws UnsatisfiedLinkError the native library can not be loaded
   */
  public static Client connect() {
    return connect(ClientOptions.DEFAULT);
  }

  /**
   * Connects to the daemon at a socket of this host.
   *
   * @param socket path of the daemon's socket
   * @return a client, to be closed
   * @throws VineyardException nobody listens there, or not for this user, or with another protocol
   * @throws UnsatisfiedLinkError the native library can not be loaded
   */
  public static Client connect(String socket) {
    Objects.requireNonNull(socket, "the socket's path is null; connect() without an argument takes the default one");
    return connect(ClientOptions.DEFAULT.withSocket(socket));
  }

  /**
   * Connects as the options say.
   *
   * @param options socket, time-out, name, what payloads elsewhere are
   * @return a client, to be closed
   * @throws VineyardException nobody listens there, or not for this user, or with another protocol
   * @throws UnsatisfiedLinkError the native library can not be loaded
   */
  public static Client connect(ClientOptions options) {
    Objects.requireNonNull(options, "options");
    NativeLibrary.load();
    return Client.open(options);
  }

  /**
   * Whether what remains of a buffer lies in shared memory that some client of this process has mapped.
   *
   * @param buffer any
   * @return false: it lies elsewhere, also that of a buffer that is not direct
   * @throws UnsatisfiedLinkError the native library can not be loaded
   */
  public static boolean isShared(ByteBuffer buffer) {
    if (!Objects.requireNonNull(buffer, "buffer").isDirect()) {
      return false;
    }
    NativeLibrary.load();
    boolean shared = Native.vy_memory_is_shared(TreePut.address(buffer), buffer.remaining()) != 0;
    Reference.reachabilityFence(buffer);
    return shared;
  }

  /**
   * The version of this library.
   *
   * @return "0.1.0" or later
   */
  public static String version() {
    return NativeLibrary.version();
  }
}
