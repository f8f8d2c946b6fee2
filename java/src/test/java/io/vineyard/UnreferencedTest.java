package io.vineyard;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Clients, writers and watches that nobody refers to any more, in the middle of what they do. */
class UnreferencedTest {
  @Test
  void theCollectorTakesNothingFromACallThatRuns() throws IOException {
    try (Daemon daemon = new Daemon();
        Child child = new Child(List.of(Child.TEST_CLASSES, Child.CLASSES), "-Xcomp", "-XX:CompileCommand=quiet",
            "-XX:CompileCommand=compileonly,io.vineyard.*::*", Unreferenced.class.getName(), daemon.socket())) {
      assertEquals("sealed: 500\nawaited: true\nwatched: CREATED\n", child.end().expect(0).output());
    }
  }
}
