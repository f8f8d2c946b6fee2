package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The native library is found, or one error says all that was tried. Each in a process of its own. */
class LoaderTest {
  private static final String RESOURCE = "/lib/linux/" + io.vineyard.internal.NativeLibrary.platform().substring("linux/".length())
      + "/libvineyard_jni.so";
  private static final Path LIBRARY = Path.of(Child.CLASSES + RESOURCE);

  @TempDir
  Path folder;

  /** What the probe says: twice the same, and how many libraries are mapped. */
  private String load(int mapped, List<Path> classPath, String... options) throws IOException {
    List<String> arguments = new ArrayList<>(List.of(options));
    arguments.addAll(List.of(LoadProbe.class.getName(), "1"));
    return load(mapped, classPath, arguments);
  }

  private String load(int mapped, List<Path> classPath, List<String> arguments) throws IOException {
    try (Child child = new Child(classPath, arguments.toArray(String[]::new))) {
      Child.Result result = child.end().expect(0);
      List<String> lines = result.output().lines().toList();
      assertEquals(3, lines.size(), result::toString);
      assertEquals(lines.get(0), lines.get(1));
      assertEquals("mapped: " + mapped, lines.get(2));
      return lines.get(0);
    }
  }

  private static List<Path> classes(Path... before) {
    List<Path> all = new ArrayList<>(List.of(before));
    all.addAll(List.of(Child.TEST_CLASSES, Child.CLASSES));
    return all;
  }

  /** The library's jar, with or without its native part. */
  private Path jar(boolean whole) throws IOException {
    Path jar = folder.resolve("vineyard.jar");
    try (OutputStream file = Files.newOutputStream(jar); JarOutputStream out = new JarOutputStream(file); var all = Files.walk(Child.CLASSES)) {
      for (Path each : all.filter(Files::isRegularFile).toList()) {
        String name = Child.CLASSES.relativize(each).toString();
        if (whole || !name.startsWith("lib/")) {
          out.putNextEntry(new JarEntry(name));
          Files.copy(each, out);
        }
      }
    }
    return jar;
  }

  private static void assertSays(String text, String... parts) {
    for (String part : parts) {
      assertTrue(text.contains(part), () -> "'" + part + "' is not in: " + text);
    }
  }

  @Test
  void itIsTakenOutOfTheJarAndTheTemporaryFileIsGone() throws IOException {
    Path temporary = Files.createDirectory(folder.resolve("t m p"));
    assertEquals("loaded from the jar's " + RESOURCE, load(1, List.of(Child.TEST_CLASSES, jar(true)), "-Djava.io.tmpdir=" + temporary));
    try (var left = Files.list(temporary)) {
      assertEquals(List.of(), left.toList());
    }
  }

  @Test
  void itIsLoadedOnceUnderManyThreads() throws IOException {
    assertEquals("loaded from the jar's " + RESOURCE, load(1, classes(), List.of(LoadProbe.class.getName(), "32")));
  }

  @Test
  void theLibraryPathComesBeforeTheJarAndThePropertyBeforeAll() throws IOException {
    String path = "-Djava.library.path=" + LIBRARY.getParent();
    assertEquals("loaded from java.library.path", load(1, classes(), path));
    Path named = Files.copy(LIBRARY, folder.resolve("vineyard-named.so"));
    assertEquals("loaded from " + named, load(1, classes(), path, "-Dio.vineyard.library=" + named));
  }

  @Test
  void aJarWithoutItSaysWhatWasTried() throws IOException {
    String error = load(0, List.of(Child.TEST_CLASSES, jar(false)), "-Djava.library.path=/nowhere");
    assertSays(error, "no native library for linux/", "Tried: java.library.path (", "/nowhere", "the jar's " + RESOURCE,
        "this jar has none for this platform", "-Dio.vineyard.library=FILE");
  }

  @Test
  void aPropertyThatNamesNoLibraryIsTheOnlyThingTried() throws IOException {
    Path text = Files.writeString(folder.resolve("text.so"), "no library");
    for (Path wrong : List.of(folder.resolve("none.so"), text, folder)) {
      String error = load(0, classes(), "-Dio.vineyard.library=" + wrong);
      assertSays(error, "Tried: -Dio.vineyard.library=" + wrong + " (");
      assertFalse(error.contains("java.library.path"), error);
    }
    assertSays(load(0, classes(), "-Dio.vineyard.library="), "Tried: -Dio.vineyard.library= (");
  }

  @Test
  void aLibraryOfSomebodyElseIsNamed() throws IOException {
    String libc = Files.readAllLines(Path.of("/proc/self/maps")).stream().filter(line -> line.contains("/libc."))
        .map(line -> line.substring(line.indexOf('/'))).findFirst().orElseThrow();
    assertSays(load(0, classes(), "-Dio.vineyard.library=" + libc), libc + " is not the library of these classes");
  }

  @Test
  void aLibraryOfAnotherVersionIsNamedWithBoth() throws IOException {
    Path properties = folder.resolve("io/vineyard/internal/version.properties");
    Files.createDirectories(properties.getParent());
    Files.writeString(properties, "version=9.8.7");
    assertSays(load(1, classes(folder)), "the jar's " + RESOURCE + " is of version " + Vineyard.version(), "the classes are of 9.8.7",
        "of one build");
  }

  @Test
  void aLibraryThatCallsWhatTheseClassesHaveNotSaysWhatWasTried() throws Exception {
    Path source = Files.writeString(folder.resolve("Callbacks.java"),
        "package io.vineyard.internal;\npublic final class Callbacks { static boolean mayWait() { return true; } }\n");
    Process javac = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "javac").toString(), "-d", folder.toString(), source.toString())
        .inheritIO().start();
    assertEquals(0, javac.waitFor());
    assertSays(load(1, classes(folder)), "Tried: ", "the jar's " + RESOURCE, "exceptionOf");
  }

  @Test
  void aFolderForTemporaryFilesThatIsNoneIsNamed() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "");
    assertSays(load(0, classes(), "-Djava.io.tmpdir=" + file), "the jar's " + RESOURCE + " (", file.toString(), "-Djava.io.tmpdir=FOLDER");
  }
}
