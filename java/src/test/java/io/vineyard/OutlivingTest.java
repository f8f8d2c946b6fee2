package io.vineyard;

import java.io.IOException;
import org.junit.jupiter.api.Test;

/** Buffers that outlive what they were taken from, in a JVM that would crash alone. */
class OutlivingTest {
  @Test
  void buffersAreReadAndWrittenAfterBlobWriterClientAndDaemonAreGone() throws IOException {
    try (Daemon daemon = new Daemon("256Mi"); Child child = Child.ofTests(LateUse.class, daemon.socket())) {
      child.await("blobs and writers are closed");
      child.await("clients are closed");
      daemon.restart();
      child.tell("it was restarted");
      child.await("the daemon was restarted");
      child.end().expect(0);
    }
  }
}
