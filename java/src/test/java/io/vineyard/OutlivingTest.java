package io.vineyard;

import java.io.IOException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Buffers that outlive what they were taken from, in a JVM that would crash alone. */
class OutlivingTest {
  @ParameterizedTest
  @ValueSource(strings = {"read", "open", "written"})
  void buffersAreUsedAfterBlobWriterClientAndDaemonAreGone(String which) throws IOException {
    try (Daemon daemon = new Daemon("256Mi"); Child child = Child.ofTests(LateUse.class, daemon.socket(), which)) {
      child.await("blobs and writers are closed");
      child.await("clients are closed");
      daemon.restart();
      child.tell("it was restarted");
      child.await("the daemon was restarted");
      child.end().expect(0);
    }
  }
}
