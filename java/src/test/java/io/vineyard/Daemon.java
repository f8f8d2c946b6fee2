package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A real vineyardd with its own folder, from the path in the environment variable VINEYARDD. */
final class Daemon implements AutoCloseable {
  private final Path folder;
  private final String size;
  private final String[] meta;
  private final List<String> lines = Collections.synchronizedList(new ArrayList<>());
  private Process process;
  private Thread reader;

  Daemon() {
    this("64Mi");
  }

  Daemon(String size) {
    this(size, "--meta", "local");
  }

  Daemon(String size, String... meta) {
    this.size = size;
    this.meta = meta;
    try {
      folder = Files.createTempDirectory("vy-");
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    start();
  }

  /** Only behind {@link #stop()}. */
  void start() {
    String program = System.getenv("VINEYARDD");
    assertNotNull(program, "VINEYARDD names no daemon; mvn verify builds one");
    try {
      List<String> command = new ArrayList<>(List.of(program, "--socket", socket(), "--size", size));
      Collections.addAll(command, meta);
      process = new ProcessBuilder(command).redirectErrorStream(true).start();
      BufferedReader output = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
      for (String line = output.readLine(); ; line = output.readLine()) {
        lines.add(String.valueOf(line));
        assertNotNull(line, () -> "vineyardd ended: " + lines);
        if (line.contains(" ready: ")) {
          break;
        }
      }
      reader = new Thread(() -> output.lines().forEach(lines::add));
      reader.setDaemon(true);
      reader.start();
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  String socket() {
    return folder.resolve("v.sock").toString();
  }

  Client connect() {
    return Vineyard.connect(socket());
  }

  /** Ends it and starts it anew, empty. */
  void restart() {
    stop();
    start();
  }

  /** SIGTERM; it leaves nothing behind. */
  @Override
  public void close() {
    stop();
    try {
      Files.delete(folder);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  void stop() {
    try {
      process.toHandle().destroy();  // and its output is read to the end
      if (!process.waitFor(100, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
      reader.join();
      assertEquals(0, process.waitFor(), () -> "vineyardd said: " + lines);
    } catch (InterruptedException error) {
      throw new IllegalStateException(error);
    }
  }
}
