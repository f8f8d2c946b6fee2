package io.vineyard.internal;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Properties;

/**
 * Loads the native library, once for each class loader that has these classes, from the first place that has one:
 *
 * <ol>
 *   <li>the file that the system property {@code io.vineyard.library} names (or, for all class loaders but the first, a
 *       temporary copy of it), and then nowhere else;
 *   <li>{@code java.library.path}, as {@code libvineyard_jni.so};
 *   <li>this jar, by way of a temporary file that is the user's own and is deleted right after.
 * </ol>
 *
 * <p>It has to be of the same build as these classes: generated code on both sides belongs together. Never touches
 * slf4j, which may not be there.
 */
public final class NativeLibrary {
  /** Names the library's file. */
  public static final String PROPERTY = "io.vineyard.library";

  private static final String NAME = "vineyard_jni";
  private static boolean done;
  private static String failure;
  private static String origin;

  private NativeLibrary() {}

  /**
   * Loads it if nobody has.
   *
   * @throws UnsatisfiedLinkError it could not be loaded; the text says what was tried. The same at each call.
   */
  public static synchronized void load() {
    if (!done) {
      List<String> tried = new ArrayList<>();
      origin = find(tried);
      failure = origin != null ? check() : "vineyard: no native library for " + platform() + ". Tried: "
          + String.join("; ", tried) + ". -D" + PROPERTY + "=FILE names one";
      done = true;
    }
    if (failure != null) {
      throw new UnsatisfiedLinkError(failure);
    }
  }

  /** Where it came from, for people. */
  public static synchronized String origin() {
    return origin;
  }

  /** "linux/x86_64". */
  public static String platform() {
    String machine = System.getProperty("os.arch");
    return System.getProperty("os.name").toLowerCase(Locale.ROOT) + "/" + ("amd64".equals(machine) ? "x86_64" : machine);
  }

  /** The version of these classes. */
  public static String version() {
    try (InputStream in = NativeLibrary.class.getResourceAsStream("version.properties")) {
      Properties properties = new Properties();
      properties.load(in);
      return properties.getProperty("version");
    } catch (IOException error) {
      throw new IllegalStateException("vineyard: its jar can not be read", error);
    }
  }

  private static String find(List<String> tried) {
    String named = System.getProperty(PROPERTY);
    if (named != null) {
      Path file = Path.of(named).toAbsolutePath();
      return loadFile("-D" + PROPERTY + "=" + named, file, tried) || loadCopy(file) ? named : null;
    }
    try {
      System.loadLibrary(NAME);
      return "java.library.path";
    } catch (LinkageError | IllegalCallerException error) {
      tried.add("java.library.path (" + error.getMessage() + ")");
    }
    return loadResource("/lib/" + platform() + "/" + System.mapLibraryName(NAME), tried);
  }

  private static boolean loadFile(String what, Path file, List<String> tried) {
    try {
      System.load(file.toString());
      return true;
    } catch (LinkageError | IllegalCallerException error) {
      // Not only UnsatisfiedLinkError: one of another build may ask for what these classes have not, and a JVM that is told
      // to let no code load libraries says so its own way (--enable-native-access=ALL-UNNAMED lets it).
      tried.add(what + " (" + error.getMessage() + ")");
      return false;
    }
  }

  // A JVM loads a file for one class loader only; for the next ones it takes another file. What was wrong with the file
  // is said already, and of a copy nothing else would be.
  private static boolean loadCopy(Path file) {
    Path copy = null;
    try {
      copy = Files.createTempFile("vineyard-", ".so");  // a random name, for its owner only
      Files.write(copy, Files.readAllBytes(file));
      return loadFile("", copy, new ArrayList<>());
    } catch (IOException error) {
      return false;
    } finally {
      delete(copy);
    }
  }

  private static String loadResource(String name, List<String> tried) {
    String what = "the jar's " + name;
    byte[] bytes;
    try (InputStream in = NativeLibrary.class.getResourceAsStream(name)) {
      if (in == null) {
        tried.add(what + " (this jar has none for this platform)");
        return null;
      }
      bytes = in.readAllBytes();
    } catch (IOException error) {
      tried.add(what + " (" + error + ")");
      return null;
    }
    Path file = null;
    try {
      file = Files.createTempFile("vineyard-", ".so");  // a random name, for its owner only
      Files.write(file, bytes);
      if (!Arrays.equals(Files.readAllBytes(file), bytes)) {
        tried.add(what + " (" + file + " is not what was written there)");
        return null;
      }
      return loadFile(what + " as " + file, file, tried) ? what : null;
    } catch (IOException error) {
      tried.add(what + " (" + error + "; -Djava.io.tmpdir=FOLDER names another folder)");
      return null;
    } finally {
      delete(file);
    }
  }

  private static void delete(Path file) {
    try {
      if (file != null) {
        Files.deleteIfExists(file);
      }
    } catch (IOException ignored) {
      // It stays in the folder for temporary files.
    }
  }

  // Null, or what is wrong with the library that was loaded.
  private static String check() {
    String found;
    try {
      found = Utf8.text(Native.vineyard_version());
    } catch (UnsatisfiedLinkError error) {
      return "vineyard: " + origin + " is not the library of these classes (" + error.getMessage() + ")";
    }
    int abi = Native.vineyard_abi_version();
    int wanted = Native.VINEYARD_ABI_MAJOR * 1000 + Native.VINEYARD_ABI_MINOR;
    return found.equals(version()) && abi == wanted ? null
        : "vineyard: " + origin + " is of version " + found + " (ABI " + abi + "), the classes are of " + version()
            + " (ABI " + wanted + "): both must be of one build";
  }
}
