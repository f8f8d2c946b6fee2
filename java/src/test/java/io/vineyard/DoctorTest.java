package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vineyard.internal.Doctor;
import io.vineyard.internal.NativeLibrary;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** {@code java -jar vineyard.jar}, with nothing else on the class path: exit statuses and texts. */
class DoctorTest {
  private static final String USAGE = "usage: java -jar vineyard.jar [--socket PATH]\n";

  private static Child.Result doctor(int status, List<String> options, String... arguments) throws IOException {
    List<String> all = new ArrayList<>(options);
    all.add(Doctor.class.getName());
    all.addAll(List.of(arguments));
    try (Child child = new Child(List.of(Child.CLASSES), all.toArray(String[]::new))) {
      return child.end().expect(status);
    }
  }

  private static List<String> lines(String... arguments) throws IOException {
    Child.Result result = doctor(0, List.of(), arguments);
    assertEquals("", result.errors());
    return result.output().lines().toList();
  }

  @Test
  void itSaysVersionPlatformAndWhereTheLibraryIs() throws IOException {
    List<String> lines = lines();
    assertEquals("vineyard " + Vineyard.version() + ", Java " + System.getProperty("java.version") + ", " + NativeLibrary.platform(), lines.get(0));
    assertEquals("native library: loaded from the jar's /lib/" + NativeLibrary.platform() + "/libvineyard_jni.so", lines.get(1));
    assertEquals("no daemon was asked: --socket PATH does", lines.get(2));
    assertEquals(3, lines.size());
  }

  @Test
  void itPutsAndGetsAtADaemonAndLeavesNothing() throws IOException {
    try (Daemon daemon = new Daemon(); Client client = daemon.connect()) {
      List<String> lines = lines("--socket", daemon.socket());
      assertEquals("daemon: version " + Vineyard.version() + ", instance " + client.instance() + " at " + daemon.socket(), lines.get(2));
      assertEquals("put, get and delete work", lines.get(3));
      assertEquals(4, lines.size());
      assertEquals(0L, client.status().get("objects"));
    }
  }

  @Test
  void itFailsWhereNobodyIs() throws IOException {
    Child.Result result = doctor(1, List.of(), "--socket", "/nowhere/v.sock");
    assertEquals(2, result.output().lines().count());
    assertTrue(result.errors().startsWith("UNAVAILABLE: "), result.errors());
    assertTrue(result.errors().contains("/nowhere/v.sock"), result.errors());
    assertEquals(1, result.errors().lines().count(), result.errors());
  }

  @Test
  void itFailsWithoutTheLibraryAndSaysWhatWasTried() throws IOException {
    Child.Result result = doctor(1, List.of("-Dio.vineyard.library=/nowhere.so"));
    assertEquals(1, result.output().lines().count());
    assertTrue(result.errors().contains("Tried: -Dio.vineyard.library=/nowhere.so ("), result.errors());
    assertEquals(1, result.errors().lines().count(), result.errors());
  }

  @Test
  void itTellsItsUsage() throws IOException {
    assertEquals(USAGE, doctor(0, List.of(), "--help").output());
    assertEquals(USAGE, doctor(0, List.of(), "-h").output());
    for (String[] wrong : new String[][] {{"--socket"}, {"--sock", "x"}, {"x"}, {"--socket", "a", "b"}, {""}}) {
      Child.Result result = doctor(2, List.of(), wrong);
      assertEquals(USAGE, result.errors());
      assertEquals("", result.output());
    }
  }
}
