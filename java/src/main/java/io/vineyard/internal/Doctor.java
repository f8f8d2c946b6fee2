package io.vineyard.internal;

import io.vineyard.BlobKind;
import io.vineyard.Client;
import io.vineyard.ClientOptions;
import io.vineyard.ObjectId;
import io.vineyard.Vineyard;
import io.vineyard.VineyardException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;

/**
 * {@code java -jar vineyard.jar}: says version and platform, and with {@code --socket PATH} whether a daemon answers
 * there: for whoever wonders why it does not work. Never touches slf4j, which is not there then.
 */
public final class Doctor {
  private static final String USAGE = "usage: java -jar vineyard.jar [--socket PATH]";

  private Doctor() {}

  /** Exit status 0: all is well; 1: something is not; 2: usage. */
  public static void main(String[] arguments) {
    System.exit(run(arguments, System.out, System.err));
  }

  static int run(String[] arguments, PrintStream out, PrintStream err) {
    boolean connects = arguments.length == 2 && arguments[0].equals("--socket");
    if (arguments.length > 0 && !connects) {
      boolean asked = Arrays.asList("--help", "-h").contains(arguments[0]);
      (asked ? out : err).println(USAGE);
      return asked ? 0 : 2;
    }
    out.println("vineyard " + NativeLibrary.version() + ", Java " + System.getProperty("java.version") + ", "
        + NativeLibrary.platform());
    try {
      NativeLibrary.load();
    } catch (UnsatisfiedLinkError error) {
      err.println(error.getMessage());
      return 1;
    }
    out.println("native library: loaded from " + NativeLibrary.origin());
    if (!connects) {
      out.println("no daemon was asked: --socket PATH does");
      return 0;
    }
    return check(arguments[1], out, err);
  }

  private static int check(String socket, PrintStream out, PrintStream err) {
    ClientOptions options = ClientOptions.DEFAULT.withSocket(socket).withTimeout(Duration.ofSeconds(5)).withName("doctor");
    byte[] bytes = "Hello, World!".getBytes(StandardCharsets.UTF_8);
    try (Client client = Vineyard.connect(options)) {
      out.println("daemon: version " + client.status().get("version") + ", instance " + client.instance() + " at " + socket);
      ObjectId id = client.put(ByteBuffer.wrap(bytes), BlobKind.BUFFER);
      try (var blob = client.getBlob(id)) {
        if (!Arrays.equals(blob.toByteArray(), bytes)) {
          err.println("what was put is not what was got: " + blob);
          return 1;
        }
      }
      client.delete(id);
      out.println("put, get and delete work");
      return 0;
    } catch (VineyardException error) {
      err.println(error.status() + ": " + error.getMessage());
      return 1;
    }
  }
}
