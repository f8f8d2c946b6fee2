package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * A second JVM, of the Java that runs the tests: for what would take them down with it, and for what happens once in a
 * process. In a folder of its own, under -Xcheck:jni, with native access as the jar's manifest gives it.
 */
final class Child implements AutoCloseable {
  /** What Maven has compiled. */
  static final Path CLASSES = Path.of(System.getProperty("basedir", ""), "target", "classes").toAbsolutePath();
  static final Path TEST_CLASSES = CLASSES.resolveSibling("test-classes");

  /** How it ended, and what it has printed. */
  record Result(int status, String output, String errors) {
    /** Fails with all that was printed. */
    Result expect(int wanted) {
      assertEquals(wanted, status, this::toString);
      return this;
    }
  }

  private final Path folder;
  private final Process process;
  private final BufferedReader output;
  private final StringBuilder printed = new StringBuilder();

  /** `arguments`: options, the main class, its arguments. */
  Child(List<Path> classPath, String... arguments) {
    try {
      folder = Files.createTempDirectory("vy-child-");
      List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
          "-Xcheck:jni", "--enable-native-access=ALL-UNNAMED", "-Xmx256m", "-XX:ErrorFile=" + folder.resolve("crash"), "-cp",
          String.join(File.pathSeparator, classPath.stream().map(Path::toString).toList())));
      command.addAll(Arrays.asList(arguments));
      process = new ProcessBuilder(command).directory(folder.toFile()).redirectError(folder.resolve("errors").toFile()).start();
      output = process.inputReader(StandardCharsets.UTF_8);
      // One that hangs is an end too soon to whoever waits for its lines.
      CompletableFuture.delayedExecutor(300, TimeUnit.SECONDS).execute(process::destroyForcibly);
    } catch (IOException error) {
      throw new IllegalStateException(error);
    }
  }

  /** A main class of the tests, which needs nothing but the library. */
  static Child ofTests(Class<?> main, String... arguments) {
    List<String> all = new ArrayList<>(List.of(main.getName()));
    all.addAll(Arrays.asList(arguments));
    return new Child(List.of(TEST_CLASSES, CLASSES), all.toArray(String[]::new));
  }

  /** Reads on until it prints this line. */
  void await(String wanted) throws IOException {
    for (;;) {
      String line = output.readLine();
      if (line == null) {
        throw new AssertionError("it ended before it said '" + wanted + "': " + end());
      }
      printed.append(line).append('\n');
      if (line.equals(wanted)) {
        return;
      }
    }
  }

  /** Lets it read one line. */
  void tell(String line) {
    new PrintWriter(process.outputWriter(StandardCharsets.UTF_8), true).println(line);
  }

  /** Its end, waited for. */
  Result end() throws IOException {
    output.lines().forEach(line -> printed.append(line).append('\n'));
    try {
      assertTrue(process.waitFor(100, TimeUnit.SECONDS), "it has closed its output and runs on");
    } catch (InterruptedException error) {
      throw new IllegalStateException(error);
    }
    Result result = new Result(process.exitValue(), printed.toString(), Files.readString(folder.resolve("errors")));
    assertFalse(Files.exists(folder.resolve("crash")), () -> "the JVM crashed: " + result);
    assertFalse(result.output.contains("in native method"), () -> "-Xcheck:jni: " + result);
    return result;
  }

  @Override
  public void close() throws IOException {
    process.destroyForcibly();
    try (var files = Files.walk(folder)) {
      for (Path each : files.sorted((a, b) -> b.compareTo(a)).toList()) {
        Files.delete(each);
      }
    }
  }
}
