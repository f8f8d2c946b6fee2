package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** One JVM may have the library many times, as servers of applications and plugins do. Each in a process of its own. */
class ManyClassLoadersTest {
  private static final Path LIBRARY =
      Path.of(Child.CLASSES + "/lib/" + io.vineyard.internal.NativeLibrary.platform() + "/libvineyard_jni.so");

  private static void use(int loaders, String... options) throws IOException {
    try (Daemon daemon = new Daemon()) {
      List<String> arguments = new ArrayList<>(List.of(options));
      arguments.addAll(List.of(ManyClassLoadersProbe.class.getName(), "" + loaders, Child.CLASSES.toString(), daemon.socket()));
      try (Child child = new Child(List.of(Child.TEST_CLASSES), arguments.toArray(String[]::new))) {
        assertEquals("used: " + loaders, child.end().expect(0).output().strip());
      }
    }
  }

  @Test
  void twentyClassLoadersOfOneProcessLoadItAndConnect() throws IOException {
    use(20);
  }

  // Regression: the 27th had no room for its thread-local variables.
  @Test
  void sixtyDoToo() throws IOException {
    use(60);
  }

  // Regression: the native library kept its classes, and with them all that the loader had loaded.
  @Test
  void aClassLoaderThatNobodyUsesIsCollected() throws IOException {
    try (Daemon daemon = new Daemon()) {
      String[] arguments = {ManyClassLoadersProbe.class.getName(), "-5", Child.CLASSES.toString(), daemon.socket()};
      try (Child child = new Child(List.of(Child.TEST_CLASSES), arguments)) {
        assertEquals("collected: 5", child.end().expect(0).output().strip());
      }
    }
  }

  @Test
  void theFileThatThePropertyNamesIsForMoreThanOneClassLoader() throws IOException {
    use(2, "-Dio.vineyard.library=" + LIBRARY);
  }

  @Test
  void theFileOnTheLibraryPathIsForTheFirstAndTheJarsForTheOthers() throws IOException {
    use(2, "-Djava.library.path=" + LIBRARY.getParent());
  }
}
